-- 0019 default-privileges (error)
-- Problem: Objects that are created later are open before anybody reviews them: a new table to app_tenant, or a new
-- function to everybody.
-- Fix: Undo the default with ALTER DEFAULT PRIVILEGES (PostgreSQL 5.8).
SELECT 'default-privileges' AS rule,
       'error' AS level,
       format('%s of %s', CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'L' THEN 'LARGE OBJECTS' ELSE 'SCHEMAS' END,
              pg_get_userbyid(d.defaclrole)) AS object,
       format('%s gets %s on each new one', g.grantee, acl.privilege_type) AS finding,
       format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %sREVOKE %s ON %s FROM %s;', pg_get_userbyid(d.defaclrole),
              CASE WHEN d.defaclnamespace <> 0 THEN format('IN SCHEMA %s ', d.defaclnamespace::regnamespace) END, acl.privilege_type,
              CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'L' THEN 'LARGE OBJECTS' ELSE 'SCHEMAS' END,
              g.grantee) AS mend
FROM pg_catalog.pg_default_acl AS d
CROSS JOIN LATERAL aclexplode(d.defaclacl) AS acl
CROSS JOIN LATERAL (SELECT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee) AS g
WHERE g.grantee IN (SELECT r.role_name FROM app.roles AS r WHERE NOT r.is_owner)
  AND d.defaclobjtype <> 'T'
UNION ALL
SELECT 'default-privileges', 'error', 'FUNCTIONS of app_owner', 'PUBLIC gets EXECUTE on each new one',
       'ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;'
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_default_acl AS d
    WHERE d.defaclrole = to_regrole('app_owner') AND d.defaclobjtype = 'f' AND d.defaclnamespace = 0
);
\set ON_ERROR_STOP on
\ir verdict.sql
