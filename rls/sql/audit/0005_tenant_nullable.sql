-- 0005 tenant-nullable (error)
-- Problem: A row can have no tenant: no policy shows it and no key checks it.
-- Fix: Set the column NOT NULL.
SELECT 'tenant-nullable' AS rule,
       'error' AS level,
       name AS object,
       'a row could belong to no tenant' AS finding,
       format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL;', name, tenant_column) AS mend
FROM app.tenanted_tables
WHERE NOT is_not_null;
\set ON_ERROR_STOP on
\ir verdict.sql
