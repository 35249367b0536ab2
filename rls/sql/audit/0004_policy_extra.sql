-- 0004 policy-extra (error)
-- Problem: One more policy opens the table (PostgreSQL joins permissive policies with OR), or runs an expression on
-- each tenant's rows.
-- Fix: Drop the policy. If it is intended, declare it with its whole content.
SELECT 'policy-extra' AS rule,
       'error' AS level,
       p.object,
       'the table has a policy that no file makes' AS finding,
       p.mend
FROM (
    SELECT t.oid,
           v.policyname,
           format('%s.%I %sFOR %s TO %s', t.name, v.policyname, CASE v.permissive WHEN 'PERMISSIVE' THEN '' ELSE 'RESTRICTIVE ' END,
                  v.cmd, array_to_string(v.roles, ', '))
               || COALESCE(' USING (' || v.qual || ')', '') || COALESCE(' WITH CHECK (' || v.with_check || ')', '') AS object,
           format('DROP POLICY %I ON %s;', v.policyname, t.name) AS mend
    FROM app.tenanted_tables AS t
    JOIN pg_catalog.pg_policies AS v ON format('%I.%I', v.schemaname, v.tablename) = t.name
) AS p
WHERE NOT EXISTS (SELECT FROM app.expected_policies AS e WHERE e.oid = p.oid AND e.policy = p.policyname)
  AND NOT app.is_declared('policy-extra', p.object);
\set ON_ERROR_STOP on
\ir verdict.sql
