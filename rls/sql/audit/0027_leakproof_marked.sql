-- 0027 leakproof-marked (error)
-- Problem: A function marked LEAKPROOF runs before the policy, on every tenant's rows, and can reveal them in an
-- error or a message (PostgreSQL 41.5). PostgreSQL marks comparisons, digests and casts that can't fail; nobody else
-- needs to.
-- Fix: Make it NOT LEAKPROOF.
SELECT 'leakproof-marked' AS rule,
       'error' AS level,
       f.object,
       'it runs on every tenant''s rows, before the policy' AS finding,
       format('ALTER FUNCTION %s NOT LEAKPROOF;', f.routine) AS mend
FROM (
    SELECT p.oid::regprocedure AS routine,
           format('%s, md5 %s', p.oid::regprocedure, md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid), p.probin))) AS object
    FROM pg_catalog.pg_proc AS p
    WHERE p.proleakproof
      AND (p.oid >= 16384
           OR p.prosrc ~ '^(numeric|jsonb|array|record|range|multirange|tsvector|tsquery)_?'
           OR p.prosrc !~ ('(eq|ne|neq|lt|le|gt|ge|cmp|larger|smaller)(name|text)?$|^(md5|sha\d+|crc32c?|int\d)_bytea$|_numeric$|^[if]\d?to[ifd]\d?$'
                           '|^(ftod|md5_text|name_text|text_name|bpchar_name|bool_int4|int4_bool|int28|int48|oidtoi8|gen_random_uuid'
                           '|macaddrtomacaddr8|text_starts_with|time_interval|uuid_extract_(timestamp|version))$'))
) AS f
WHERE NOT app.is_declared('leakproof-marked', f.object);
\set ON_ERROR_STOP on
\ir verdict.sql
