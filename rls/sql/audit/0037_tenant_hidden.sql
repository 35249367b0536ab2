-- 0037 tenant-hidden (error)
-- Problem: A table refers to tenants or their rows and has no tenant_id, or has one and can have no policy: its rows
-- belong to tenants, and no policy applies.
-- Fix: Add the column tenant_id and fill it; tenant-nullable and the rules about policies then ask for the rest. If
-- the table is intended, declare it.
SELECT 'tenant-hidden' AS rule,
       'error' AS level,
       x.object,
       x.finding,
       x.mend
FROM (
    SELECT format('%s.%I', c.oid::regclass, k.conname) AS object,
           format('the table refers to %s and has no tenant_id, so no policy is asked for its rows', t.name) AS finding,
           CASE WHEN t.is_root THEN format('ALTER TABLE %s RENAME COLUMN %I TO tenant_id;', c.oid::regclass, a.attname)
                ELSE format('ALTER TABLE %s ADD COLUMN tenant_id uuid;', c.oid::regclass) END AS mend
    FROM app.tenanted_tables AS t
    JOIN pg_catalog.pg_constraint AS k ON k.contype = 'f' AND k.confrelid = t.oid AND k.conparentid = 0
    JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
    WHERE NOT EXISTS (SELECT FROM app.tenanted_tables AS own WHERE own.oid = k.conrelid)
    UNION ALL
    SELECT c.oid::regclass::text, 'it has a tenant_id, and a foreign table can have no policy', format('DROP FOREIGN TABLE %s;', c.oid::regclass)
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind = 'f'
) AS x
WHERE NOT app.is_declared('tenant-hidden', x.object);
\set ON_ERROR_STOP on
\ir verdict.sql
