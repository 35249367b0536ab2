-- 0012 role-too-strong (error)
-- Problem: A role that serves, migrates or audits bypasses policies, or can create a role that does.
-- Fix: Remove the attribute from the role.
SELECT 'role-too-strong' AS rule,
       'error' AS level,
       r.rolname::text AS object,
       format('it has %s', concat_ws(', ',
              CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
              CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
              CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
              CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
              CASE WHEN r.rolreplication THEN 'REPLICATION' END,
              CASE WHEN r.rolname = 'app_resolver' AND r.rolcanlogin THEN 'LOGIN' END)) AS finding,
       format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION%s;', r.rolname,
              CASE r.rolname WHEN 'app_resolver' THEN ' NOLOGIN' END) AS mend
FROM pg_catalog.pg_roles AS r
WHERE r.rolname IN (SELECT ours.role_name FROM app.roles AS ours)
  AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
       OR (r.rolname = 'app_resolver' AND r.rolcanlogin));
\set ON_ERROR_STOP on
\ir verdict.sql
