-- 0014 role-bypasses (error)
-- Problem: A role that bypasses policies has privileges on tenants' rows. Superusers have them all and are not
-- listed.
-- Fix: Remove BYPASSRLS from the role.
SELECT 'role-bypasses' AS rule,
       'error' AS level,
       r.rolname::text AS object,
       format('it has BYPASSRLS, and rights on %s tenanted table(s)', count(*)) AS finding,
       format('ALTER ROLE %I NOBYPASSRLS;', r.rolname) AS mend
FROM pg_catalog.pg_roles AS r
JOIN app.tenanted_tables AS t ON has_table_privilege(r.oid, t.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
WHERE r.rolbypassrls
  AND NOT r.rolsuper
  AND NOT app.is_declared('role-bypasses', r.rolname)
GROUP BY r.rolname;
\set ON_ERROR_STOP on
\ir verdict.sql
