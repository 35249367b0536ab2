-- 0024 platform outcome: how platform work ended
-- Afterwards the record of platform work says whether it was committed, beside who opened it and why.
-- Needs: 0003_audit. Proved by: tests/rls/test_platform.py.

CREATE TABLE app.platform_outcome (
    id bigint PRIMARY KEY REFERENCES app.platform_audit,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome text NOT NULL CHECK (outcome IN ('committed', 'rolled back'))
);
COMMENT ON TABLE app.platform_outcome IS 'How platform work ended. The work''s own transaction writes committed, so that stands here only if it is so. What has no row is still going on, or its process or connection was lost, and PostgreSQL has rolled it back.';
GRANT SELECT, INSERT (id, outcome) ON app.platform_outcome TO app_platform;
GRANT SELECT ON app.platform_outcome TO app_auditor;

INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('app.platform_outcome', 'app_platform', '{SELECT,INSERT (id),INSERT (outcome)}', 'Append-only: each platform context writes how it ended.'),
    ('app.platform_outcome', 'app_auditor', '{SELECT}', 'The auditor reads how platform work ended.');
