-- 0010 index-useless (warning)
-- Problem: Under row-level security PostgreSQL evaluates an operator that is not leakproof after the policy, so no
-- index serves it (PostgreSQL 41.5): numeric, LIKE, jsonb, trigrams, and expressions such as upper(x).
-- Fix: Drop the index; store integers, or search a stored generated column. If it serves only roles without a policy
-- on these rows, declare it. An index that enforces a constraint or keeps values unique passes.
SELECT 'index-useless' AS rule,
       'warning' AS level,
       pg_get_indexdef(i.indexrelid) AS object,
       format('no statement under the policies can use it for %s', string_agg(pg_get_indexdef(i.indexrelid, n.place::int, true), ', ' ORDER BY n.place)) AS finding,
       format('DROP INDEX %s;', i.indexrelid::regclass) AS mend
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS n (attnum, opclass, place)
WHERE NOT t.is_root
  AND NOT i.indisunique
  AND n.place <= i.indnkeyatts
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.indexrelid)
  AND (n.attnum = 0
       OR EXISTS (
           SELECT FROM pg_catalog.pg_opclass AS c
           JOIN pg_catalog.pg_am AS a ON a.oid = c.opcmethod
           JOIN pg_catalog.pg_amop AS m ON m.amopfamily = c.opcfamily AND m.amoppurpose = 's' AND m.amoplefttype = c.opcintype
               AND (m.amoprighttype = c.opcintype OR a.amname NOT IN ('btree', 'hash', 'brin'))
           JOIN pg_catalog.pg_operator AS o ON o.oid = m.amopopr
           JOIN pg_catalog.pg_proc AS f ON f.oid = o.oprcode
           -- An index of *_pattern_ops serves LIKE, which is not leakproof although its own operators are.
           WHERE c.oid = n.opclass AND (NOT f.proleakproof OR c.opcname ~ '_pattern_ops$')
       ))
  AND NOT app.is_declared('index-useless', pg_get_indexdef(i.indexrelid))
GROUP BY i.indexrelid;
\set ON_ERROR_STOP on
\ir verdict.sql
