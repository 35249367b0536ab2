-- 0016 grant-too-wide (error)
-- Means: somebody has a right on tenants' rows, or on a sequence, that no file gives. TRUNCATE asks no policy, REFERENCES and
-- TRIGGER reach other tenants' rows, a sequence that can be read tells how much others write.
-- Mends: revoking it. app_tenant and app_platform may SELECT, INSERT, UPDATE, DELETE, and have USAGE on sequences; what
-- else is meant, or less, is declared in app.declared_grants.
SELECT 'grant-too-wide' AS rule,
       'error' AS level,
       g.privilege || ' on ' || g.object AS object,
       format('%s has a right that no file gives', g.role_name) AS finding,
       CASE WHEN g.privilege ~ 'WITH GRANT OPTION'
            THEN format('REVOKE GRANT OPTION FOR %s FROM %s CASCADE;', replace(g.privilege_on, ' WITH GRANT OPTION', ''), g.grantee)
            ELSE format('REVOKE %s FROM %s CASCADE;', g.privilege_on, g.grantee) END AS mend
FROM (SELECT *, CASE role_name WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(role_name) END AS grantee FROM app.table_grants) AS g
WHERE NOT g.is_expected
  AND (g.is_tenanted OR g.relkind = 'S');
\set ON_ERROR_STOP on
\ir verdict.sql
