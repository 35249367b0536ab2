-- 0009 index-missing (warning)
-- Problem: Every statement filters by tenant, and without an index that starts with the tenant it reads the rows of
-- all tenants.
-- Fix: Create an index that starts with the tenant.
SELECT 'index-missing' AS rule,
       'warning' AS level,
       t.name AS object,
       'no index leads with the tenant' AS finding,
       format('CREATE INDEX ON %s (%I);', t.name, t.tenant_column) AS mend
FROM app.tenanted_tables AS t
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_index AS i
    WHERE i.indrelid = t.oid AND i.indkey[0] = t.tenant_attnum AND i.indisvalid AND i.indpred IS NULL
);
\set ON_ERROR_STOP on
\ir verdict.sql
