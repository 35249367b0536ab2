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
WITH template AS (
    -- The predicate of rls/policies.py, as PostgreSQL prints it back.
    SELECT t.*,
           format('(%I = ( SELECT COALESCE((NULLIF(current_setting(''app.current_tenant''::text, true), ''''::text))::uuid, app.no_tenant()) AS "coalesce"))', tenant_column) AS predicate,
           format('%I = (SELECT COALESCE(NULLIF(current_setting(''app.current_tenant'', true), '''')::uuid, app.no_tenant()))', tenant_column) AS source
    FROM app.tenanted_tables AS t
),
serving AS (
    SELECT oid, rolname FROM pg_roles WHERE rolname IN ('app_tenant', 'app_platform', 'app_owner', 'app_auditor')
)
SELECT 'row-security-off' AS rule,
       name::text AS object,
       'row-level security is not enabled and forced' AS finding,
       format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;', name) AS mend
FROM app.tenanted_tables
WHERE NOT (is_enabled AND is_forced)

UNION ALL
SELECT 'policy-missing', name::text, 'there is no policy tenant_isolation',
       format('CREATE POLICY tenant_isolation ON %s TO app_tenant USING (%s) WITH CHECK (%s);', name, source, source)
FROM template
WHERE NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = template.oid AND p.polname = 'tenant_isolation')

UNION ALL
SELECT 'policy-differs', format('%s.%s', name, p.polname), 'the policy is not the one that the template writes',
       format('DROP POLICY tenant_isolation ON %s; CREATE POLICY tenant_isolation ON %s TO app_tenant USING (%s) WITH CHECK (%s);', name, name, source, source)
FROM template
JOIN pg_policy AS p ON p.polrelid = template.oid AND p.polname = 'tenant_isolation'
WHERE p.polcmd <> '*'
   OR NOT p.polpermissive
   OR p.polroles <> ARRAY[to_regrole('app_tenant')::oid]
   OR pg_get_expr(p.polqual, p.polrelid) IS DISTINCT FROM predicate
   OR pg_get_expr(p.polwithcheck, p.polrelid) IS DISTINCT FROM predicate

UNION ALL
SELECT 'policy-extra', format('%s.%s', name, p.polname), 'a further policy applies to the serving role',
       format('DROP POLICY %I ON %s;', p.polname, name)
FROM app.tenanted_tables AS t
JOIN pg_policy AS p ON p.polrelid = t.oid AND p.polname <> 'tenant_isolation' AND p.polpermissive
WHERE p.polroles && ARRAY[0::oid, to_regrole('app_tenant')::oid]

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
SELECT 'role-membership', s.rolname, format('it is a member of %s', r.rolname), format('REVOKE %I FROM %I;', r.rolname, s.rolname)
FROM serving AS s
JOIN pg_auth_members AS m ON m.member = s.oid
JOIN pg_roles AS r ON r.oid = m.roleid
WHERE NOT (s.rolname = 'app_owner' AND r.rolname = 'app_resolver')

UNION ALL
SELECT 'grant-too-wide', format('%s on %s', acl.privilege_type, t.name), 'the serving role could go around policies',
       format('REVOKE %s ON %s FROM %s;', acl.privilege_type, t.name, CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END)
FROM app.tenanted_tables AS t
JOIN pg_class AS c ON c.oid = t.oid
CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
WHERE acl.grantee IN (0, to_regrole('app_tenant'), to_regrole('app_platform'))
  AND (acl.grantee = 0 OR acl.is_grantable OR acl.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))

UNION ALL
SELECT 'function-open', f.oid::regprocedure::text, 'a statement could switch the tenant, or reach other sessions, through it',
       format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC;', f.oid::regprocedure)
FROM pg_proc AS f
WHERE f.pronamespace = 'pg_catalog'::regnamespace
  AND (f.proname IN ('set_config', 'pg_stat_get_activity', 'pg_terminate_backend', 'pg_cancel_backend')
       OR f.proname ~ '^(lo_|query_to_xml)')
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
SELECT 'function-behind-policy', p.oid::regprocedure::text, 'it is not the STABLE function of 0001_tenant_context',
       'Run the CREATE FUNCTION of migrations_sql/0001_tenant_context.sql as CREATE OR REPLACE.'
FROM pg_proc AS p
WHERE p.oid IN ('app.no_tenant()'::regprocedure, 'app.require_platform()'::regprocedure, 'app.require_migrating()'::regprocedure)
  AND (p.provolatile <> 's' OR p.prosecdef OR p.prosrc NOT LIKE '%RAISE EXCEPTION%' OR p.proowner <> to_regrole('app_owner'))

UNION ALL
SELECT 'variable-default', COALESCE('role ' || NULLIF(s.setrole, 0)::regrole::text, 'database ' || current_database()), setting,
       CASE s.setrole WHEN 0 THEN format('ALTER DATABASE %I RESET app.current_tenant;', current_database())
                      ELSE format('ALTER ROLE %s RESET app.current_tenant;', s.setrole::regrole) END
FROM pg_db_role_setting AS s
CROSS JOIN LATERAL unnest(s.setconfig) AS setting
WHERE setting LIKE 'app.%'
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
