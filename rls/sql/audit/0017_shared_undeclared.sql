-- 0017 shared-undeclared (error)
-- Problem: A table without a tenant, or a view, is granted, and no file says that it is shared and why: its rows may
-- belong to tenants.
-- Fix: Revoke the privilege. If the relation is shared, declare it in app.declared_grants.
SELECT 'shared-undeclared' AS rule,
       'error' AS level,
       concat(g.privilege, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END, ' on ', g.object) AS object,
       format('%s has the right, and the relation is not declared shared', g.role_name) AS finding,
       format('REVOKE %s%s ON %s%s FROM %s CASCADE;', CASE WHEN g.is_grantable THEN 'GRANT OPTION FOR ' END, g.privilege,
              CASE g.relkind WHEN 'S' THEN 'SEQUENCE ' END, g.object, g.grantee) AS mend
FROM app.table_grants AS g
WHERE NOT g.is_expected
  AND NOT (g.is_tenanted OR g.relkind = 'S');
\set ON_ERROR_STOP on
\ir verdict.sql
