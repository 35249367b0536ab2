-- 0039 function-callable (error)
-- Problem: A role can call a function that no file grants to it, or can't call one that it needs. A function that
-- runs a text as SQL can set the tenant inside one statement; app.require_platform() opens the policies of the
-- platform. Functions of extensions pass.
-- Fix: Revoke or grant EXECUTE. If the function is intended, declare it with the digest of its body.
SELECT 'function-callable' AS rule,
       'error' AS level,
       f.object,
       format('%s can call it, and no file says so', f.callers) AS finding,
       format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC, %s;', f.routine, f.callers) AS mend
FROM (
    SELECT p.oid::regprocedure AS routine,
           format('%s for %s, md5 %s', p.oid::regprocedure, r.callers, md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid), p.probin))) AS object,
           r.callers
    FROM pg_catalog.pg_proc AS p
    CROSS JOIN LATERAL (
        SELECT string_agg(role_name, ', ' ORDER BY place) AS callers
        FROM app.roles
        WHERE is_client
          AND to_regrole(role_name) IS NOT NULL
          AND has_function_privilege(role_name, p.oid, 'EXECUTE')
          AND NOT COALESCE(role_name = ANY (CASE p.oid::regprocedure::text
              WHEN 'app.no_tenant()' THEN '{app_tenant,app_platform}'::text[]
              WHEN 'app.tenant_or_null()' THEN '{app_tenant,app_platform}'
              WHEN 'app.uuid7()' THEN '{app_tenant,app_platform}'
              WHEN 'app.require_platform()' THEN '{app_platform}'
              WHEN 'app.open_platform(text,text,text)' THEN '{app_platform}'
              WHEN 'app.is_declared(text,text)' THEN '{app_auditor}'
              WHEN 'app.find_weaknesses()' THEN '{app_auditor}'
          END), false)
    ) AS r
    WHERE p.oid >= 16384  -- what PostgreSQL does not bring itself, wherever it lies
      AND NOT p.prosecdef  -- of those definer-callable speaks
      AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
) AS f
WHERE f.callers IS NOT NULL
  AND NOT app.is_declared('function-callable', f.object)
UNION ALL
SELECT 'function-callable', 'error', x.signature, format('%s can''t call it, so every statement that needs it fails', x.role_name),
       format('GRANT EXECUTE ON FUNCTION %s TO %s;', x.signature, x.role_name)
FROM (VALUES
    ('app.no_tenant()', 'app_tenant'),
    ('app.uuid7()', 'app_tenant'),
    ('app.require_platform()', 'app_platform'),
    ('app.open_platform(text,text,text)', 'app_platform')
) AS x (signature, role_name)
WHERE to_regprocedure(x.signature) IS NOT NULL
  AND NOT has_function_privilege(x.role_name, to_regprocedure(x.signature), 'EXECUTE');
\set ON_ERROR_STOP on
\ir verdict.sql
