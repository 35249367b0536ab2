-- 0017 shared-undeclared (error)
-- Means: a table without a tenant, or a view, is granted, and no file says that it is shared and why: its rows may be tenants'.
-- Mends: revoking the right. A relation that is meant to be shared is declared in app.declared_grants.
SELECT 'shared-undeclared' AS rule,
       'error' AS level,
       g.privilege || ' on ' || g.object AS object,
       format('%s has the right, and the relation is not declared shared', g.role_name) AS finding,
       CASE WHEN g.privilege ~ 'WITH GRANT OPTION'
            THEN format('REVOKE GRANT OPTION FOR %s FROM %s CASCADE;', replace(g.privilege_on, ' WITH GRANT OPTION', ''), g.grantee)
            ELSE format('REVOKE %s FROM %s CASCADE;', g.privilege_on, g.grantee) END AS mend
FROM (SELECT *, CASE role_name WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(role_name) END AS grantee FROM app.table_grants) AS g
WHERE NOT g.is_expected
  AND NOT (g.is_tenanted OR g.relkind = 'S');
\set ON_ERROR_STOP on
\ir verdict.sql
