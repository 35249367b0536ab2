-- 0032 parent-without-tenant (error)
-- Problem: The table inherits from a table without a tenant. A SELECT on the parent returns this table's rows, and
-- PostgreSQL applies only the parent's policies.
-- Fix: Run NO INHERIT, or give the parent a tenant_id.
SELECT 'parent-without-tenant' AS rule,
       'error' AS level,
       t.name AS object,
       format('%s shows its rows without its policies', i.inhparent::regclass) AS finding,
       format('ALTER TABLE %s NO INHERIT %s;', t.name, i.inhparent::regclass) AS mend
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = t.oid
WHERE NOT EXISTS (SELECT FROM app.tenanted_tables AS parent WHERE parent.oid = i.inhparent);
\set ON_ERROR_STOP on
\ir verdict.sql
