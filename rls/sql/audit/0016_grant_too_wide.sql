-- 0016 grant-too-wide (error)
-- Problem: A role has a privilege on tenants' rows, or on a sequence, that no file grants. TRUNCATE ignores policies,
-- REFERENCES and TRIGGER reach other tenants' rows, and a readable sequence tells how many rows others write.
-- Fix: Revoke it. app_tenant and app_platform may SELECT, INSERT, UPDATE and DELETE, and have USAGE on sequences;
-- declare in app.declared_grants what else is intended, or less.
SELECT 'grant-too-wide' AS rule,
       'error' AS level,
       concat(g.privilege, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END, ' on ', g.object) AS object,
       format('%s has a right that no file gives', g.role_name) AS finding,
       format('REVOKE %s%s ON %s%s FROM %s CASCADE;', CASE WHEN g.is_grantable THEN 'GRANT OPTION FOR ' END, g.privilege,
              CASE g.relkind WHEN 'S' THEN 'SEQUENCE ' END, g.object, g.grantee) AS mend
FROM app.table_grants AS g
WHERE NOT g.is_expected
  AND (g.is_tenanted OR g.relkind = 'S')
UNION ALL
SELECT 'grant-too-wide', 'error', format('%s on large object %s', acl.privilege_type, l.oid), format('%s can reach it, and it has no policy', g.grantee),
       format('REVOKE %s ON LARGE OBJECT %s FROM %s;', acl.privilege_type, l.oid, g.grantee)
FROM pg_catalog.pg_largeobject_metadata AS l
CROSS JOIN LATERAL aclexplode(l.lomacl) AS acl
CROSS JOIN LATERAL (SELECT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee) AS g
WHERE g.grantee IN (SELECT r.role_name FROM app.roles AS r WHERE NOT r.is_owner);
\set ON_ERROR_STOP on
\ir verdict.sql
