-- 0018 schema-open (error)
-- Problem: A role that only uses the database can create objects in it: a temporary table that hides a real one, or a
-- function that the search path finds first.
-- Fix: Revoke the privilege.
SELECT 'schema-open' AS rule,
       'error' AS level,
       format('%s on SCHEMA %I', acl.privilege_type, n.nspname) AS object,
       format('%s could make objects of its own', g.grantee) AS finding,
       format('REVOKE %s ON SCHEMA %I FROM %s CASCADE;', acl.privilege_type, n.nspname, g.grantee) AS mend
FROM pg_catalog.pg_namespace AS n
CROSS JOIN LATERAL aclexplode(n.nspacl) AS acl
CROSS JOIN LATERAL (SELECT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee) AS g
WHERE acl.privilege_type = 'CREATE'
  AND acl.grantee <> n.nspowner
  AND n.nspname !~ '^pg_(toast|temp)'
UNION ALL
SELECT 'schema-open', 'error', format('%s on DATABASE %I', acl.privilege_type, d.datname), format('%s could make objects of its own', g.grantee),
       format('REVOKE %s ON DATABASE %I FROM %s CASCADE;', acl.privilege_type, d.datname, g.grantee)
FROM pg_catalog.pg_database AS d
-- Without an access list PUBLIC has CONNECT and TEMP.
CROSS JOIN LATERAL aclexplode(COALESCE(d.datacl, acldefault('d', d.datdba))) AS acl
CROSS JOIN LATERAL (SELECT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee) AS g
WHERE d.datname = current_database()
  AND acl.privilege_type IN ('CREATE', 'TEMPORARY')
  AND acl.grantee <> d.datdba
  AND g.grantee IN (SELECT r.role_name FROM app.roles AS r WHERE NOT r.is_owner);
\set ON_ERROR_STOP on
\ir verdict.sql
