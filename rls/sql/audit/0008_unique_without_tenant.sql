-- 0008 unique-without-tenant (error)
-- Problem: A unique or exclusion constraint that does not compare the tenant tells one tenant which values another
-- has taken; a column in INCLUDE is not compared. A primary key of one random uuid passes: nobody can guess its
-- values.
-- Fix: Replace it by a constraint that starts with the tenant.
SELECT 'unique-without-tenant' AS rule,
       'error' AS level,
       pg_get_indexdef(i.indexrelid) AS object,
       'it is unique across tenants' AS finding,
       CASE WHEN k.conname IS NULL THEN format('DROP INDEX %s;', i.indexrelid::regclass)
            ELSE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE;', t.name, k.conname) END
           || CASE WHEN columns.names IS NULL THEN ''
                   ELSE format(' CREATE UNIQUE INDEX ON %s (%I, %s);', t.name, t.tenant_column, columns.names) END AS mend
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid AND (i.indisunique OR i.indisexclusion)
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN LATERAL (
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY n.place) AS names
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS n (attnum, place)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = n.attnum
    WHERE i.indexprs IS NULL AND i.indpred IS NULL AND NOT i.indisexclusion AND n.place <= i.indnkeyatts AND n.attnum <> t.tenant_attnum
) AS columns ON true
WHERE NOT t.is_root
  -- Of a partition's part of it, the partitioned table speaks.
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE h.inhrelid = i.indexrelid)
  AND NOT EXISTS (
      SELECT FROM unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS n (attnum, opclass, place)
      WHERE n.attnum = t.tenant_attnum
        AND n.place <= i.indnkeyatts
        AND CASE WHEN k.conexclop IS NULL THEN n.opclass < 16384  -- an operator class of PostgreSQL itself
                 ELSE k.conexclop[n.place] = '=(uuid,uuid)'::regoperator END
  )
  AND NOT (i.indisprimary AND i.indnatts = 1
           AND (SELECT a.atttypid FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = t.oid AND a.attnum = i.indkey[0]) = 'uuid'::regtype)
  AND NOT app.is_declared('unique-without-tenant', pg_get_indexdef(i.indexrelid));
\set ON_ERROR_STOP on
\ir verdict.sql
