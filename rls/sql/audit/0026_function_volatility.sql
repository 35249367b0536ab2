-- 0026 function-volatility (error)
-- Problem: A policy calls a function that is IMMUTABLE (the planner keeps its first answer and serves one tenant's
-- rows to another) or VOLATILE (PostgreSQL calls it for each row).
-- Fix: Make it STABLE.
SELECT DISTINCT 'function-volatility' AS rule,
       'error' AS level,
       f.oid::regprocedure::text AS object,
       format('the policy %s of %s calls it, and it is %s', p.polname, t.name, CASE f.provolatile WHEN 'i' THEN 'IMMUTABLE' ELSE 'VOLATILE' END) AS finding,
       format('ALTER FUNCTION %s STABLE;', f.oid::regprocedure) AS mend
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_policy AS p ON p.polrelid = t.oid
JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass
JOIN pg_catalog.pg_proc AS f ON f.oid = d.refobjid AND f.pronamespace <> 'pg_catalog'::regnamespace
WHERE f.provolatile <> 's';
\set ON_ERROR_STOP on
\ir verdict.sql
