-- 0001 row-security-off (error)
-- Problem: PostgreSQL applies no policy to the table, or does not apply them to its owner. Partitions and other child
-- tables are checked one by one.
-- Fix: Run ENABLE and FORCE ROW LEVEL SECURITY (PostgreSQL 5.9).
SELECT 'row-security-off' AS rule,
       'error' AS level,
       t.name AS object,
       'row-level security is not enabled and forced' AS finding,
       format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;', t.name) AS mend
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
WHERE NOT (c.relrowsecurity AND c.relforcerowsecurity);
\set ON_ERROR_STOP on
\ir verdict.sql
