-- 0010 audit: the live catalog compared with what these files write
-- Afterwards app.isolation_findings holds one row for each way in which isolation is weaker than it was built, with the
-- SQL that mends it. It is empty on a database that only these files have touched.
-- Needs: 0001_tenant_context to 0009_django_tables. Read by: migrations_sql/audit.sql, manage.py rls audit.
-- Proved by: tests/rls/test_audit.py.

CREATE VIEW app.tenanted_tables AS
SELECT c.oid,
       c.oid::regclass AS name,
       a.attname AS tenant_column,
       a.attnum AS tenant_attnum,
       a.attnotnull AS is_not_null,
       c.relrowsecurity AS is_enabled,
       c.relforcerowsecurity AS is_forced,
       pg_get_userbyid(c.relowner) AS owner
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p')
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND (a.attname = 'tenant_id' OR (n.nspname = 'public' AND c.relname = 'core_tenant' AND a.attname = 'id'));
COMMENT ON VIEW app.tenanted_tables IS 'Every table whose rows belong to a tenant, and the column that says to which.';

CREATE VIEW app.isolation_findings AS
WITH expected_policies AS (
    -- What rls/policies.py writes, as source and as PostgreSQL prints it back.
    SELECT t.oid,
           t.name,
           e.policy,
           e.role_name,
           format(e.source, t.tenant_column) AS source,
           format(e.printed, t.tenant_column) AS printed
    FROM app.tenanted_tables AS t
    CROSS JOIN (VALUES
        ('tenant_isolation', 'app_tenant',
         '%1$I = (SELECT COALESCE(NULLIF(current_setting(''app.current_tenant'', true), '''')::uuid, app.no_tenant()))',
         '(%1$I = ( SELECT COALESCE((NULLIF(current_setting(''app.current_tenant''::text, true), ''''::text))::uuid, app.no_tenant()) AS "coalesce"))'),
        ('platform_access', 'app_platform',
         '(SELECT app.require_platform())',
         '( SELECT app.require_platform() AS require_platform)'),
        ('owner_migration', 'app_owner',
         '(SELECT app.require_migrating()) AND %1$I = COALESCE((SELECT app.tenant_or_null()), %1$I)',
         '(( SELECT app.require_migrating() AS require_migrating) AND (%1$I = COALESCE(( SELECT app.tenant_or_null() AS tenant_or_null), %1$I)))')
    ) AS e (policy, role_name, source, printed)
),
resolver_policies AS (
    -- Who finds a tenant before a context exists: 0002_core_tenant, 0007_core_apitoken.
    SELECT * FROM (VALUES
        ('core_tenant', 'tenant_lookup', 'r'),
        ('core_apitoken', 'token_lookup', 'r'),
        ('core_apitoken', 'token_use', 'w')
    ) AS e (table_name, policy, command)
),
expected_functions AS (
    -- The MD5 of the body: a function behind a policy is as much the policy as its expression.
    SELECT * FROM (VALUES
        ('no_tenant', 's', false, '41e042bd2799d5ff283b6d7a3101c667'),
        ('tenant_or_null', 's', false, 'b722231be0694cd165391799c7bb7504'),
        ('require_migrating', 's', false, '99bf7a6f6fa16a5c235f3ddd9222d766'),
        ('require_platform', 's', false, 'abfaa8f79cc2f153e5301f91233d86d9'),
        ('open_platform', 'v', false, '0147808cce3074fd317aa1994702e59a'),
        ('resolve_principal', 'v', true, '7ba2b3faa4cfde072a337a93816d9e30')
    ) AS e (function_name, volatility, is_definer, body)
),
serving AS (
    SELECT oid, rolname FROM pg_roles WHERE rolname IN ('app_tenant', 'app_platform', 'app_owner', 'app_auditor')
),
allowed_grants AS (
    -- Beside the rows of tenanted tables, which app_tenant and app_platform read and write.
    SELECT * FROM (VALUES
        ('public.core_tenant', 'app_tenant', ARRAY['SELECT']),
        ('public.core_apitoken', 'app_tenant', ARRAY[]::text[]),
        ('public.django_migrations', 'app_tenant', ARRAY['SELECT']),
        ('app.platform_audit', 'app_platform', ARRAY['SELECT', 'INSERT']),
        ('public.django_admin_log', 'app_platform', ARRAY['SELECT', 'INSERT'])
    ) AS e (table_name, role_name, privileges)
)
SELECT 'row-security-off' AS rule,
       name::text AS object,
       'row-level security is not enabled and forced' AS finding,
       format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;', name) AS mend
FROM app.tenanted_tables
WHERE NOT (is_enabled AND is_forced)

UNION ALL
SELECT 'policy-missing', name::text, format('there is no policy %s', policy),
       format('CREATE POLICY %I ON %s TO %I USING (%s) WITH CHECK (%s);', policy, name, role_name, source, source)
FROM expected_policies AS e
WHERE NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = e.oid AND p.polname = e.policy)

UNION ALL
SELECT 'policy-differs', format('%s.%s', name, policy), 'the policy is not the one that the template writes',
       format('DROP POLICY %I ON %s; CREATE POLICY %I ON %s TO %I USING (%s) WITH CHECK (%s);', policy, name, policy, name, role_name, source, source)
FROM expected_policies AS e
JOIN pg_policy AS p ON p.polrelid = e.oid AND p.polname = e.policy
WHERE p.polcmd <> '*'
   OR NOT p.polpermissive
   OR p.polroles <> ARRAY[to_regrole(e.role_name)::oid]
   OR pg_get_expr(p.polqual, p.polrelid) IS DISTINCT FROM e.printed
   OR pg_get_expr(p.polwithcheck, p.polrelid) IS DISTINCT FROM e.printed

UNION ALL
SELECT 'policy-extra', format('%s.%s', t.name, p.polname), 'a further policy opens the table',
       format('DROP POLICY %I ON %s;', p.polname, t.name)
FROM app.tenanted_tables AS t
JOIN pg_policy AS p ON p.polrelid = t.oid AND p.polpermissive
WHERE NOT EXISTS (SELECT FROM expected_policies AS e WHERE e.oid = t.oid AND e.policy = p.polname)
  AND NOT EXISTS (
      SELECT FROM resolver_policies AS r
      WHERE r.table_name = t.name::text AND r.policy = p.polname AND r.command = p.polcmd::text
        AND p.polroles = ARRAY[to_regrole('app_resolver')::oid]
  )

UNION ALL
SELECT 'tenant-nullable', name::text, 'a row could belong to no tenant',
       format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL;', name, tenant_column)
FROM app.tenanted_tables
WHERE NOT is_not_null

UNION ALL
SELECT 'index-missing', name::text, 'no index leads with the tenant',
       format('CREATE INDEX ON %s (%I);', name, tenant_column)
FROM app.tenanted_tables AS t
WHERE NOT EXISTS (
    SELECT FROM pg_index AS i WHERE i.indrelid = t.oid AND i.indkey[0] = tenant_attnum AND i.indisvalid AND i.indpred IS NULL
)

UNION ALL
SELECT 'unique-without-tenant', i.indexrelid::regclass::text, 'a unique key tells one tenant what another has taken',
       format('DROP INDEX %s; -- then UNIQUE (%I, ...)', i.indexrelid::regclass, tenant_column)
FROM app.tenanted_tables AS t
JOIN pg_index AS i ON i.indrelid = t.oid AND i.indisunique AND NOT i.indisprimary AND NOT tenant_attnum = ANY (i.indkey::int2[])
WHERE t.tenant_column = 'tenant_id'

UNION ALL
SELECT 'foreign-key-without-tenant', format('%s.%s', k.conrelid::regclass, k.conname), 'its check bypasses policies and accepts another tenant''s id',
       format('ALTER TABLE %s DROP CONSTRAINT %I; -- then FOREIGN KEY (tenant_id, ...) REFERENCES %s (tenant_id, id)', k.conrelid::regclass, k.conname, k.confrelid::regclass)
FROM pg_constraint AS k
JOIN app.tenanted_tables AS child ON child.oid = k.conrelid
JOIN app.tenanted_tables AS parent ON parent.oid = k.confrelid
WHERE k.contype = 'f'
  AND NOT (child.tenant_attnum = ANY (k.conkey) AND parent.tenant_attnum = ANY (k.confkey))

UNION ALL
SELECT 'owner-wrong', name::text, format('it belongs to %s', owner), format('ALTER TABLE %s OWNER TO app_owner;', name)
FROM app.tenanted_tables
WHERE owner <> 'app_owner'

UNION ALL
SELECT 'role-too-strong', r.rolname, 'the role is not bound by policies, or can make one that is not',
       format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;', r.rolname)
FROM pg_roles AS r
JOIN serving USING (oid)
WHERE r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication

UNION ALL
SELECT 'role-too-strong', rolname, 'it can log in', 'ALTER ROLE app_resolver NOLOGIN;'
FROM pg_roles
WHERE rolname = 'app_resolver' AND (rolcanlogin OR rolsuper OR rolbypassrls)

UNION ALL
SELECT 'role-membership', s.rolname, format('it is a member of %s', r.rolname), format('REVOKE %I FROM %I;', r.rolname, s.rolname)
FROM serving AS s
JOIN pg_auth_members AS m ON m.member = s.oid
JOIN pg_roles AS r ON r.oid = m.roleid
WHERE NOT (s.rolname = 'app_owner' AND r.rolname = 'app_resolver')

UNION ALL
SELECT 'grant-too-wide', format('%s on %s', acl.privilege_type, c.oid::regclass), format('%s has a right that no file gives', who.name),
       format('REVOKE %s ON %s FROM %s;', acl.privilege_type, c.oid::regclass, who.name)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname IN ('public', 'app')
CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
CROSS JOIN LATERAL (SELECT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END) AS who (name)
LEFT JOIN app.tenanted_tables AS t ON t.oid = c.oid
LEFT JOIN allowed_grants AS g ON g.table_name = format('%s.%s', n.nspname, c.relname) AND g.role_name = who.name
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND who.name IN ('PUBLIC', 'app_tenant', 'app_platform')
  AND NOT acl.privilege_type = ANY (CASE
      WHEN g.privileges IS NOT NULL THEN g.privileges
      WHEN who.name = 'PUBLIC' OR (who.name = 'app_tenant' AND t.oid IS NULL) THEN ARRAY[]::text[]
      ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']
  END)

UNION ALL
SELECT 'grant-too-wide', format('%s on %s', privilege, place), format('%s could make objects of its own', rolname),
       format('REVOKE %s ON %s FROM PUBLIC, %I;', privilege, place, rolname)
FROM serving
CROSS JOIN LATERAL (
    SELECT 'CREATE' AS privilege, format('SCHEMA %I', nspname) AS place
    FROM pg_namespace
    WHERE nspname !~ '^pg_' AND has_schema_privilege(rolname, oid, 'CREATE')
    UNION ALL
    SELECT p, format('DATABASE %I', current_database())
    FROM unnest(ARRAY['CREATE', 'TEMP']) AS p
    WHERE has_database_privilege(rolname, current_database(), p)
) AS can
WHERE rolname <> 'app_owner'

UNION ALL
SELECT 'catalog-open', format('%s on %s', privilege, name), 'a statement could switch the tenant, or see other sessions, through it',
       format('REVOKE %s ON pg_catalog.%s FROM PUBLIC;', privilege, name)
FROM (VALUES ('UPDATE', 'pg_settings'), ('SELECT', 'pg_stat_activity'), ('SELECT', 'pg_locks')) AS e (privilege, name)
WHERE has_table_privilege('app_tenant', 'pg_catalog.' || name, privilege)

UNION ALL
SELECT 'function-open', f.oid::regprocedure::text, 'a statement could switch the tenant, or reach other sessions, through it',
       format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC;', f.oid::regprocedure)
FROM pg_proc AS f
WHERE f.pronamespace = 'pg_catalog'::regnamespace
  -- The same names as in 0000_superuser.
  AND (f.proname ~ '^(query|table|schema|database|cursor)_to_xml'
       OR f.proname ~ '^lo_' OR f.proname ~ '^pg_stat_get_backend_' OR f.proname ~ '^pg_(try_)?advisory_lock'
       OR f.prosrc IN ('ts_stat1', 'ts_stat2', 'tsquery_rewrite_query')
       OR f.proname IN ('set_config', 'loread', 'lowrite', 'pg_stat_get_activity', 'pg_terminate_backend', 'pg_cancel_backend',
                        'pg_lock_status', 'pg_notification_queue_usage', 'currtid2', 'pg_logical_emit_message'))
  AND has_function_privilege('app_tenant', f.oid, 'EXECUTE')

UNION ALL
SELECT 'language-open', l.lanname, 'DO could switch the tenant inside one statement', format('REVOKE USAGE ON LANGUAGE %I FROM PUBLIC;', l.lanname)
FROM pg_language AS l
WHERE l.lanpltrusted AND has_language_privilege('app_tenant', l.oid, 'USAGE')

UNION ALL
SELECT 'definer-callable', p.oid::regprocedure::text, format('the serving role can call it, and it runs as %s', pg_get_userbyid(p.proowner)),
       format('ALTER FUNCTION %s SECURITY INVOKER;', p.oid::regprocedure)
FROM pg_proc AS p
WHERE p.prosecdef
  AND has_schema_privilege('app_tenant', p.pronamespace, 'USAGE')
  AND has_function_privilege('app_tenant', p.oid, 'EXECUTE')
  AND NOT (p.oid = 'app.resolve_principal(text, bytea)'::regprocedure AND p.proowner = to_regrole('app_resolver'))

UNION ALL
SELECT 'function-behind-policy', format('app.%s', e.function_name), 'it is missing, or not the function that the files make',
       'Run its CREATE FUNCTION of migrations_sql/0001 or 0008 again, as CREATE OR REPLACE.'
FROM expected_functions AS e
WHERE NOT EXISTS (
    SELECT FROM pg_proc AS p
    WHERE p.pronamespace = 'app'::regnamespace
      AND p.proname = e.function_name
      AND p.provolatile::text = e.volatility
      AND p.prosecdef = e.is_definer
      AND md5(p.prosrc) = e.body
      AND p.proowner = to_regrole(CASE e.function_name WHEN 'resolve_principal' THEN 'app_resolver' ELSE 'app_owner' END)
)

UNION ALL
SELECT 'variable-default', COALESCE('role ' || NULLIF(s.setrole, 0)::regrole::text, 'database ' || current_database()), setting,
       CASE s.setrole WHEN 0 THEN format('ALTER DATABASE %I RESET %s;', current_database(), split_part(setting, '=', 1))
                      ELSE format('ALTER ROLE %s RESET %s;', s.setrole::regrole, split_part(setting, '=', 1)) END
FROM pg_db_role_setting AS s
CROSS JOIN LATERAL unnest(s.setconfig) AS setting
WHERE setting ~ '^(app\.|row_security|search_path|session_preload|local_preload)'
  AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))

UNION ALL
SELECT DISTINCT 'view-as-owner', v.oid::regclass::text, 'a view reads tenanted rows with its owner''s rights',
       CASE v.relkind WHEN 'm' THEN format('DROP MATERIALIZED VIEW %s;', v.oid::regclass)
                      ELSE format('ALTER VIEW %s SET (security_invoker = true);', v.oid::regclass) END
FROM pg_class AS v
JOIN pg_rewrite AS r ON r.ev_class = v.oid
JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
JOIN app.tenanted_tables AS t ON t.oid = d.refobjid
WHERE v.relkind = 'm'
   OR (v.relkind = 'v' AND NOT COALESCE(v.reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false))

UNION ALL
SELECT 'guard-missing', guard, 'nothing keeps new tables under row-level security, or DROP OWNED from the policies',
       format('Run migrations_sql/0000_superuser.sql; ALTER EVENT TRIGGER %I ENABLE;', guard)
FROM unnest(ARRAY['keep_row_security', 'refuse_ddl']) AS guard
WHERE NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = guard AND evtenabled IN ('O', 'A'));
COMMENT ON VIEW app.isolation_findings IS 'Empty where isolation is as it was built; otherwise what is weaker, on which object, and the SQL that mends it.';

GRANT SELECT ON app.tenanted_tables, app.isolation_findings TO app_auditor;
