-- 0006 tenant-unreferenced (error)
-- Problem: tenant_id has no foreign key to a table of tenants, so rows outlive their tenant and the audit can't tell
-- which table is the root of isolation.
-- Fix: Add a foreign key to the table that the other tables' tenant_id refers to.
SELECT 'tenant-unreferenced' AS rule,
       'error' AS level,
       t.name AS object,
       'tenant_id refers to no table of tenants' AS finding,
       CASE WHEN root.target IS NULL THEN '-- ADD FOREIGN KEY (tenant_id) REFERENCES the table of tenants: no other table tells which it is'
            ELSE format('ALTER TABLE %s ADD FOREIGN KEY (tenant_id) REFERENCES %s;', t.name, root.target) END AS mend
FROM app.tenanted_tables AS t
LEFT JOIN LATERAL (SELECT format('%s (%I)', r.name, r.tenant_column) AS target FROM app.tenanted_tables AS r WHERE r.is_root ORDER BY r.name LIMIT 1) AS root ON true
WHERE NOT t.is_root
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_constraint AS k
      WHERE k.contype = 'f' AND k.conrelid = t.oid AND k.conkey = ARRAY[t.tenant_attnum]
  );
\set ON_ERROR_STOP on
\ir verdict.sql
