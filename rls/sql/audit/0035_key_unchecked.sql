-- 0035 key-unchecked (error)
-- Problem: A foreign key, NOT NULL or unique key is in the catalog but PostgreSQL does not enforce it, so a row can
-- refer to another tenant's row.
-- Fix: Validate the constraint.
SELECT 'key-unchecked' AS rule,
       'error' AS level,
       format('%s.%I', t.name, k.conname) AS object,
       'it is not enforced, or was never checked against the rows' AS finding,
       -- NOT ENFORCED is PostgreSQL 18 and newer.
       format(CASE WHEN to_jsonb(k) ->> 'conenforced' = 'false' THEN 'ALTER TABLE %s ALTER CONSTRAINT %I ENFORCED;'
                   ELSE 'ALTER TABLE %s VALIDATE CONSTRAINT %I;' END, t.name, k.conname) AS mend
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid AND k.contype IN ('f', 'n')
WHERE NOT k.convalidated
UNION ALL
SELECT 'key-unchecked', 'error', format('%s.%I', t.name, k.conname), format('the trigger %I that checks it on %s is disabled', x.tgname, x.tgrelid::regclass),
       format('ALTER TABLE %s ENABLE TRIGGER %I;', x.tgrelid::regclass, x.tgname)
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid AND k.contype = 'f'
JOIN pg_catalog.pg_trigger AS x ON x.tgconstraint = k.oid
WHERE x.tgenabled NOT IN ('O', 'A')
UNION ALL
SELECT 'key-unchecked', 'error', i.indexrelid::regclass::text, 'the index of the key is not valid', format('REINDEX INDEX %s;', i.indexrelid::regclass)
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid AND i.indisunique
WHERE NOT (i.indisvalid AND i.indisready AND i.indislive);
\set ON_ERROR_STOP on
\ir verdict.sql
