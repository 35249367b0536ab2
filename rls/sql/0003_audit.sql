-- 0003 audit: who worked across tenants, how it ended, and what a project declares
-- Afterwards platform work leaves rows that nobody who serves can change, and a project can say, with a reason, what it
-- grants and what it does on purpose. Only app_owner can declare. Every role reads which migrations have run.
-- Needs: 0002_tenant_context. Read by: audit/*.sql.
-- Proved by: tests/rls/test_audit.py, tests/rls/test_platform.py, tests/rls/test_use_alone.py.

CREATE TABLE app.platform_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL CHECK (actor ~ '\S'),
    reason text NOT NULL CHECK (reason ~ '\S'),
    origin text NOT NULL,
    role_name name NOT NULL DEFAULT session_user,
    address inet DEFAULT inet_client_addr(),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
COMMENT ON TABLE app.platform_audit IS 'Who worked across tenants, why, when and from where. Append-only: nobody who serves may change or delete a row.';
-- What the database knows by itself, nobody writes: the time, the role, the address, the transaction.
GRANT SELECT, INSERT (actor, reason, origin) ON app.platform_audit TO app_platform;
GRANT SELECT ON app.platform_audit TO app_auditor;

CREATE TABLE app.platform_outcome (
    id bigint PRIMARY KEY REFERENCES app.platform_audit,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome text NOT NULL CHECK (outcome IN ('committed', 'rolled back'))
);
COMMENT ON TABLE app.platform_outcome IS 'How platform work ended. The work''s own transaction writes committed, so that stands here only if it is so. What has no row is still going on, or its process or connection was lost, and PostgreSQL has rolled it back.';
GRANT SELECT, INSERT (id, outcome) ON app.platform_outcome TO app_platform;
GRANT SELECT ON app.platform_outcome TO app_auditor;

CREATE TABLE app.declared_grants (
    object text NOT NULL CHECK (object ~ '^[^ ]+\.[^ ]+$'),
    role_name name NOT NULL,
    privileges text[] NOT NULL,
    reason text NOT NULL CHECK (reason ~ '\S'),
    PRIMARY KEY (object, role_name)
);
COMMENT ON TABLE app.declared_grants IS 'Exactly which rights a role has on a relation that is not tenanted (it is shared), or other rights than the usual on one that is. Privileges as the audit prints them: SELECT, or UPDATE (column).';

CREATE TABLE app.declared_exceptions (
    rule text NOT NULL,
    object text NOT NULL,
    reason text NOT NULL CHECK (reason ~ '\S'),
    PRIMARY KEY (rule, object)
);
COMMENT ON TABLE app.declared_exceptions IS 'What the audit would find, and is intended. The object holds the content that was looked at, so a change of it is found again.';

INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('app.platform_audit', 'app_platform', '{SELECT,INSERT (actor),INSERT (reason),INSERT (origin)}', 'Append-only: each platform context writes its row.'),
    ('app.platform_audit', 'app_auditor', '{SELECT}', 'The auditor reads who worked across tenants.'),
    ('app.platform_outcome', 'app_platform', '{SELECT,INSERT (id),INSERT (outcome)}', 'Append-only: each platform context writes how it ended.'),
    ('app.platform_outcome', 'app_auditor', '{SELECT}', 'The auditor reads how platform work ended.'),
    ('app.declared_grants', 'app_auditor', '{SELECT}', 'The auditor reads what is declared.'),
    ('app.declared_exceptions', 'app_auditor', '{SELECT}', 'The auditor reads what is declared.'),
    ('app.roles', 'app_auditor', '{SELECT}', 'The rules read the catalog through it.'),
    ('app.tenanted_tables', 'app_auditor', '{SELECT}', 'The rules read the catalog through it.'),
    ('app.expected_policies', 'app_auditor', '{SELECT}', 'The rules read the catalog through it.'),
    ('app.table_grants', 'app_auditor', '{SELECT}', 'The rules read the catalog through it.'),
    ('app.isolation_findings', 'app_auditor', '{SELECT}', 'The audit itself.');

GRANT SELECT ON app.declared_grants, app.declared_exceptions TO app_auditor;

-- Every process, whatever its role, may check that the database is as new as its code: makemigrations, showmigrations,
-- runserver and createsuperuser do.
GRANT SELECT ON django_migrations TO app_tenant, app_platform, app_auditor;

INSERT INTO app.declared_grants (object, role_name, privileges, reason)
SELECT 'public.django_migrations', role_name, '{SELECT}', 'Shared: which migrations have run.'
FROM unnest(ARRAY['app_tenant', 'app_platform', 'app_auditor']) AS role_name;
