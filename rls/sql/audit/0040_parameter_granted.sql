-- 0040 parameter-granted (error)
-- Problem: A role may set a parameter that only superusers should set: with session_replication_role PostgreSQL
-- checks no foreign key.
-- Fix: Revoke the privilege (PostgreSQL 15 and newer).
SELECT 'parameter-granted' AS rule,
       'error' AS level,
       format('%s on PARAMETER %I', acl.privilege_type, p.parname) AS object,
       format('%s can set what only a superuser should', g.grantee) AS finding,
       format('REVOKE %s ON PARAMETER %I FROM %s;', acl.privilege_type, p.parname, g.grantee) AS mend
FROM pg_catalog.pg_parameter_acl AS p
CROSS JOIN LATERAL aclexplode(p.paracl) AS acl
CROSS JOIN LATERAL (SELECT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee) AS g
WHERE g.grantee IN (SELECT r.role_name FROM app.roles AS r);
\set ON_ERROR_STOP on
\ir verdict.sql
