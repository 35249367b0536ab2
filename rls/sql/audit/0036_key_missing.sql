-- 0036 key-missing (warning)
-- Problem: A column is named like a reference to a row but has no foreign key, so nothing keeps the row that it
-- refers to in the same tenant.
-- Fix: Add the key (tenant_id, x_id) that refers to (tenant_id, id). If the column refers to nothing, declare it.
SELECT 'key-missing' AS rule,
       'warning' AS level,
       format('%s.%I', t.name, a.attname) AS object,
       'it is a uuid called _id, and no foreign key holds it' AS finding,
       CASE WHEN parent.name IS NULL THEN '-- ADD FOREIGN KEY (tenant_id, ...) REFERENCES the table that it refers to: its name does not tell which'
            ELSE format('ALTER TABLE %s ADD FOREIGN KEY (tenant_id, %I) REFERENCES %s (tenant_id, id);', t.name, a.attname, parent.name) END AS mend
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN LATERAL (
    SELECT p.name
    FROM app.tenanted_tables AS p
    WHERE NOT p.is_root AND p.name ~ ('_' || left(a.attname, -3) || '$')
    ORDER BY p.name
    LIMIT 1
) AS parent ON true
WHERE NOT t.is_root
  AND a.atttypid = 'uuid'::regtype
  AND a.attname ~ '^[a-z0-9_]+_id$'
  AND a.attnum <> t.tenant_attnum
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.contype = 'f' AND k.conrelid = t.oid AND a.attnum = ANY (k.conkey))
  AND NOT app.is_declared('key-missing', format('%s.%I', t.name, a.attname));
\set ON_ERROR_STOP on
\ir verdict.sql
