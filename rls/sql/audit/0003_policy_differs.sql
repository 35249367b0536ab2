-- 0003 policy-differs (error)
-- Problem: A policy has the right name but not the right content: a weaker USING or WITH CHECK, another role or
-- another command.
-- Fix: Create the policy again as rls/schema/policies.py writes it.
SELECT 'policy-differs' AS rule,
       'error' AS level,
       format('%s.%I', e.name, e.policy) AS object,
       format('it is FOR %s TO %s USING (%s) WITH CHECK (%s)', v.cmd, array_to_string(v.roles, ', '), v.qual, v.with_check) AS finding,
       format('DROP POLICY %I ON %s; CREATE POLICY %I ON %s TO %I USING (%s) WITH CHECK (%s);',
              e.policy, e.name, e.policy, e.name, e.role_name, e.source, e.source) AS mend
FROM app.expected_policies AS e
JOIN pg_catalog.pg_policy AS p ON p.polrelid = e.oid AND p.polname = e.policy
JOIN pg_catalog.pg_policies AS v ON format('%I.%I', v.schemaname, v.tablename) = e.name AND v.policyname = e.policy
WHERE p.polcmd <> '*'
   OR NOT p.polpermissive
   OR p.polroles <> ARRAY[to_regrole(e.role_name)::oid]
   OR pg_get_expr(p.polqual, p.polrelid) IS DISTINCT FROM e.printed
   OR pg_get_expr(p.polwithcheck, p.polrelid) IS DISTINCT FROM e.printed;
\set ON_ERROR_STOP on
\ir verdict.sql
