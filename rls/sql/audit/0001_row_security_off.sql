-- 0001 row-security-off (error)
-- Means: no policy is asked, or the owner is not bound by them. Partitions and other children are tables of their own.
-- Mends: ENABLE and FORCE (PostgreSQL 5.9).
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
