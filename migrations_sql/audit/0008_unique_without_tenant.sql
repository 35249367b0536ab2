-- 0008 unique-without-tenant (error)
-- Means: a unique or exclusion key without the tenant tells one tenant which values another has taken. A primary key of one
-- random uuid is let through: nobody can try its values.
-- Mends: dropping it for a key that starts with the tenant.
SELECT 'unique-without-tenant' AS rule,
       'error' AS level,
       i.indexrelid::regclass::text AS object,
       format('it is unique across tenants: %s', pg_get_indexdef(i.indexrelid)) AS finding,
       CASE WHEN k.conname IS NULL THEN format('DROP INDEX %s;', i.indexrelid::regclass)
            ELSE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE;', t.name, k.conname) END
           || CASE WHEN columns.names IS NULL THEN ''
                   ELSE format(' CREATE UNIQUE INDEX ON %s (%I, %s);', t.name, t.tenant_column, columns.names) END AS mend
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid AND (i.indisunique OR i.indisexclusion) AND NOT t.tenant_attnum = ANY (i.indkey::int2[])
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN LATERAL (
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY n.place) AS names
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS n (attnum, place)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = n.attnum
    WHERE i.indexprs IS NULL AND i.indpred IS NULL AND NOT i.indisexclusion
) AS columns ON true
WHERE NOT t.is_root
  AND NOT (i.indisprimary AND i.indnatts = 1
           AND (SELECT a.atttypid FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = t.oid AND a.attnum = i.indkey[0]) = 'uuid'::regtype)
  AND NOT app.is_declared('unique-without-tenant', pg_get_indexdef(i.indexrelid));
\set ON_ERROR_STOP on
\ir verdict.sql
