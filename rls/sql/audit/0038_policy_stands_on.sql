-- 0038 policy-stands-on (error)
-- Problem: A policy has the text of the template but calls something else: a cast, an operator or a function that
-- replaces PostgreSQL's own.
-- Fix: Drop the cast; create the policy again while only PostgreSQL's own names are found. Restore a replaced
-- built-in function from a server of the same version.
SELECT 'policy-stands-on' AS rule,
       'error' AS level,
       format('%s.%I', e.name, e.policy) AS object,
       format('it reads as it should and calls %s', pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)) AS finding,
       format('SET search_path = pg_catalog; DROP POLICY %I ON %s;%s CREATE POLICY %I ON %s TO %I USING (%s) WITH CHECK (%s); RESET search_path;',
              e.policy, e.name,
              (SELECT string_agg(format(' DROP CAST (%s AS %s);', c.castsource::regtype, c.casttarget::regtype), '')
               FROM pg_catalog.pg_cast AS c
               WHERE d.refclassid = 'pg_proc'::regclass AND c.castfunc = d.refobjid),
              e.policy, e.name, e.role_name, e.source, e.source) AS mend
FROM app.expected_policies AS e
JOIN pg_catalog.pg_policy AS p ON p.polrelid = e.oid AND p.polname = e.policy
JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
WHERE NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = e.oid)
  AND NOT (d.refclassid = 'pg_proc'::regclass
           AND d.refobjid IN (to_regprocedure('app.no_tenant()'), to_regprocedure('app.tenant_or_null()'),
                              to_regprocedure('app.require_platform()'), to_regprocedure('app.require_migrating()')))
UNION ALL
SELECT 'policy-stands-on', 'error', f.oid::regprocedure::text, 'it is not the function that PostgreSQL has', '-- restore it from a server of the same version'
FROM pg_catalog.pg_proc AS f
WHERE f.oid IN ('pg_catalog.current_setting(text,boolean)'::regprocedure, 'pg_catalog.uuid_eq(uuid,uuid)'::regprocedure,
                'pg_catalog.texteq(text,text)'::regprocedure, 'pg_catalog.uuid_in(cstring)'::regprocedure)
  AND (f.prolang <> (SELECT l.oid FROM pg_catalog.pg_language AS l WHERE l.lanname = 'internal')
       OR f.prosrc <> CASE f.proname WHEN 'current_setting' THEN 'show_config_by_name_missing_ok' ELSE f.proname END);
\set ON_ERROR_STOP on
\ir verdict.sql
