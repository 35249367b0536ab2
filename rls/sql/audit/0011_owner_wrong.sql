-- 0011 owner-wrong (error)
-- Problem: The owner of a table can switch its policies off; the owner of what the policies and the audit use can
-- replace it; the owner of the database can set variables for everybody. A role that serves or audits must own
-- nothing.
-- Fix: Give the object to app_owner, and the database to a superuser or to the administrator (CREATEROLE) of a
-- managed server.
SELECT 'owner-wrong' AS rule,
       'error' AS level,
       name AS object,
       format('it belongs to %s', owner) AS finding,
       format('ALTER %s %s OWNER TO app_owner;', kind, name) AS mend
FROM (
    SELECT 'TABLE' AS kind, name, owner FROM app.tenanted_tables
    UNION ALL
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, format('app.%I', c.relname), pg_get_userbyid(c.relowner)
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = to_regnamespace('app') AND c.relkind IN ('r', 'p', 'v')
    UNION ALL
    SELECT 'SCHEMA', quote_ident(n.nspname), pg_get_userbyid(n.nspowner)
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = 'app' OR EXISTS (SELECT FROM app.tenanted_tables AS t WHERE t.name ^@ (quote_ident(n.nspname) || '.'))
) AS owned
WHERE owner <> 'app_owner'
UNION ALL
SELECT 'owner-wrong', 'error', pg_describe_object(d.classid, d.objid, d.objsubid), format('it belongs to %s', r.rolname),
       format('REASSIGN OWNED BY %I TO app_owner;', r.rolname)
FROM pg_catalog.pg_shdepend AS d
JOIN pg_catalog.pg_roles AS r ON r.oid = d.refobjid AND d.refclassid = 'pg_authid'::regclass
WHERE d.deptype = 'o'
  AND r.rolname IN (SELECT ours.role_name FROM app.roles AS ours WHERE ours.is_client)
  AND d.dbid IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
UNION ALL
SELECT 'owner-wrong', 'error', format('database %I', d.datname), format('it belongs to %s', r.rolname),
       format('ALTER DATABASE %I OWNER TO %I;', d.datname, (SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10))
FROM pg_catalog.pg_database AS d
JOIN pg_catalog.pg_roles AS r ON r.oid = d.datdba
WHERE d.datname = current_database()
  AND NOT (r.rolsuper OR r.rolcreaterole);
\set ON_ERROR_STOP on
\ir verdict.sql
