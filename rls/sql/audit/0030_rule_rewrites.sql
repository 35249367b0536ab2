-- 0030 rule-rewrites (error)
-- Problem: A rewrite rule copies a tenant's row elsewhere, or drops a row of the platform's log, with the privileges
-- of the owner of its table or view (PostgreSQL 41.5).
-- Fix: Drop the rule.
SELECT 'rule-rewrites' AS rule,
       'error' AS level,
       r.object,
       'a rule rewrites statements on it' AS finding,
       r.mend
FROM (
    SELECT format('%s.%I, md5 %s', r.ev_class::regclass, r.rulename, md5(pg_get_ruledef(r.oid))) AS object,
           format('DROP RULE %I ON %s;', r.rulename, r.ev_class::regclass) AS mend
    FROM pg_catalog.pg_rewrite AS r
    JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class
    WHERE c.relkind IN ('r', 'p', 'v', 'f') AND r.rulename <> '_RETURN' AND c.oid >= 16384
) AS r
WHERE NOT app.is_declared('rule-rewrites', r.object);
\set ON_ERROR_STOP on
\ir verdict.sql
