-- 0027 leakproof-marked (error)
-- Means: a function marked LEAKPROOF runs before the policy, on every tenant's rows, and may tell of them in an error or
-- a message (PostgreSQL 41.5). Of PostgreSQL's own functions those are named that are marked to make an index useful.
-- Mends: NOT LEAKPROOF.
SELECT 'leakproof-marked' AS rule,
       'error' AS level,
       f.oid::regprocedure::text AS object,
       'it runs on every tenant''s rows, before the policy' AS finding,
       format('ALTER FUNCTION %s NOT LEAKPROOF;', f.oid::regprocedure) AS mend
FROM pg_catalog.pg_proc AS f
WHERE f.proleakproof
  AND (f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
       OR f.prosrc ~ '^(numeric_|jsonb_|array|text_?(i?c?like|i?c?regex|i?c?n?regex)|(i?c)?n?like|nameic|int4div|int[248]+(div|mod|pl|mi|mul)|upper|lower|tsvector|ts_match)'
       OR f.proname IN ('upper', 'lower', 'initcap', 'date_trunc', 'date_part', 'extract', 'to_tsvector', 'regexp_match'))
  AND NOT app.is_declared('leakproof-marked', f.oid::regprocedure::text);
\set ON_ERROR_STOP on
\ir verdict.sql
