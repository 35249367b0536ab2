-- 0002 policy-missing (error)
-- Problem: A table that holds tenants' rows lacks one of the three policies, so a role sees none of the rows that it
-- should see.
-- Fix: Create the policy as rls/schema/policies.py writes it.
SELECT 'policy-missing' AS rule,
       'error' AS level,
       e.name AS object,
       format('there is no policy %s', e.policy) AS finding,
       format('CREATE POLICY %I ON %s TO %I USING (%s) WITH CHECK (%s);', e.policy, e.name, e.role_name, e.source, e.source) AS mend
FROM app.expected_policies AS e
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = e.oid AND p.polname = e.policy);
\set ON_ERROR_STOP on
\ir verdict.sql
