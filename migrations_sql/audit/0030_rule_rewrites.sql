-- 0030 rule-rewrites (error)
-- Means: a rule writes a tenant's row elsewhere, with the rights of the table's owner (PostgreSQL 41.5).
-- Mends: dropping the rule.
SELECT 'rule-rewrites' AS rule,
       'error' AS level,
       format('%s.%I', t.name, r.rulename) AS object,
       'a rule rewrites statements on the table' AS finding,
       format('DROP RULE %I ON %s;', r.rulename, t.name) AS mend
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = t.oid
WHERE NOT app.is_declared('rule-rewrites', pg_get_ruledef(r.oid));
\set ON_ERROR_STOP on
\ir verdict.sql
