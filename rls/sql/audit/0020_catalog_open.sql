-- 0020 catalog-open (warning)
-- Problem: A role has a privilege on the catalog that PostgreSQL does not grant by default, or still has one that
-- 0001_superuser revokes: to set variables, to see other sessions, or to read statistics with values of all tenants.
-- Fix: Revoke it, as a superuser.
SELECT 'catalog-open' AS rule,
       'warning' AS level,
       format('%s on pg_catalog.%s', e.privilege, e.name) AS object,
       'a statement could switch the tenant, or see other sessions, through it' AS finding,
       format('REVOKE %s ON pg_catalog.%s FROM PUBLIC, app_tenant;', e.privilege, e.name) AS mend
FROM (VALUES ('UPDATE', 'pg_settings'), ('SELECT', 'pg_stat_activity'), ('SELECT', 'pg_locks')) AS e (privilege, name)
WHERE has_table_privilege('app_tenant', 'pg_catalog.' || e.name, e.privilege)
UNION ALL
SELECT 'catalog-open', 'warning', format('%s on %s', acl.privilege_type, g.object), format('%s has more than PostgreSQL gives by itself', g.grantee),
       format('REVOKE %s ON %s%s FROM %s;', acl.privilege_type, CASE c.classid WHEN 'pg_proc'::regclass THEN 'FUNCTION ' ELSE '' END, g.object, g.grantee)
FROM (
    SELECT 'pg_class'::regclass AS classid, oid, relacl AS acl, acldefault('r', relowner) AS default_acl
    FROM pg_catalog.pg_class
    WHERE relnamespace = 'pg_catalog'::regnamespace AND relacl IS NOT NULL
    UNION ALL
    SELECT 'pg_proc'::regclass, oid, proacl, acldefault('f', proowner)
    FROM pg_catalog.pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace AND proacl IS NOT NULL
) AS c
LEFT JOIN pg_catalog.pg_init_privs AS init ON init.classoid = c.classid AND init.objoid = c.oid AND init.objsubid = 0
CROSS JOIN LATERAL aclexplode(c.acl) AS acl
CROSS JOIN LATERAL (
    SELECT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee,
           CASE c.classid WHEN 'pg_proc'::regclass THEN 'pg_catalog.' || c.oid::regprocedure ELSE 'pg_catalog.' || c.oid::regclass END AS object
) AS g
WHERE g.grantee IN (SELECT r.role_name FROM app.roles AS r)
  AND NOT EXISTS (
      SELECT FROM aclexplode(COALESCE(init.initprivs, c.default_acl)) AS first
      WHERE first.grantee = acl.grantee AND first.privilege_type = acl.privilege_type
  )
  AND (g.grantee, g.object) NOT IN (('app_resolver', 'pg_catalog.pg_notify(text,text)'),
                                    ('app_resolver', 'pg_catalog.pg_try_advisory_lock(integer,integer)'),
                                    ('app_resolver', 'pg_catalog.pg_try_advisory_lock_shared(integer,integer)'))
UNION ALL
SELECT 'catalog-open', 'warning', format('%s (%I) on pg_catalog.%I', acl.privilege_type, a.attname, c.relname), format('%s has more than PostgreSQL gives by itself', g.grantee),
       format('REVOKE %s (%I) ON pg_catalog.%I FROM %s;', acl.privilege_type, a.attname, c.relname, g.grantee)
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relnamespace = 'pg_catalog'::regnamespace
CROSS JOIN LATERAL aclexplode(a.attacl) AS acl
CROSS JOIN LATERAL (SELECT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee) AS g
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_init_privs AS init
    WHERE init.classoid = 'pg_class'::regclass AND init.objoid = a.attrelid AND init.objsubid = a.attnum
)
  AND g.grantee IN (SELECT r.role_name FROM app.roles AS r);
\set ON_ERROR_STOP on
\ir verdict.sql
