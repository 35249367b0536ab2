-- 0007 foreign-key-without-tenant (error)
-- Problem: PostgreSQL checks foreign keys without policies (5.9), so a key without the tenant accepts another
-- tenant's id, and a cascade can change another tenant's rows.
-- Fix: Replace it by a key (tenant_id, x_id) that refers to (tenant_id, id).
SELECT 'foreign-key-without-tenant' AS rule,
       'error' AS level,
       format('%s.%I %s', child.name, k.conname, pg_get_constraintdef(k.oid)) AS object,
       'its check accepts another tenant''s id' AS finding,
       format('ALTER TABLE %s DROP CONSTRAINT %I;', child.name, k.conname)
           || CASE WHEN own.attname IS NOT NULL AND other.attname IS NOT NULL
                   THEN format(' ALTER TABLE %s ADD FOREIGN KEY (tenant_id, %I) REFERENCES %s (tenant_id, %I);',
                               child.name, own.attname, parent.name, other.attname)
                   ELSE '' END AS mend
FROM pg_catalog.pg_constraint AS k
JOIN app.tenanted_tables AS child ON child.oid = k.conrelid
JOIN app.tenanted_tables AS parent ON parent.oid = k.confrelid AND NOT parent.is_root
-- The key is written anew where it has one column and the parent has the unique key to refer to.
LEFT JOIN pg_catalog.pg_attribute AS own
    ON array_length(k.conkey, 1) = 1 AND own.attrelid = k.conrelid AND own.attnum = k.conkey[1] AND NOT child.is_root
LEFT JOIN pg_catalog.pg_attribute AS other
    ON other.attrelid = k.confrelid AND other.attnum = k.confkey[1]
    AND EXISTS (SELECT FROM pg_catalog.pg_index AS i
                WHERE i.indrelid = k.confrelid AND i.indisunique AND i.indisvalid
                  AND i.indkey::int2[] = ARRAY[parent.tenant_attnum, k.confkey[1]])
WHERE k.contype = 'f'
  AND k.conparentid = 0
  AND NOT EXISTS (
      SELECT FROM generate_subscripts(k.conkey, 1) AS n
      WHERE k.conkey[n] = child.tenant_attnum AND k.confkey[n] = parent.tenant_attnum
  )
  AND NOT app.is_declared('foreign-key-without-tenant', format('%s.%I %s', child.name, k.conname, pg_get_constraintdef(k.oid)));
\set ON_ERROR_STOP on
\ir verdict.sql
