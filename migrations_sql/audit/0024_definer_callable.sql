-- 0024 definer-callable (error)
-- Means: a role calls a SECURITY DEFINER function and so acts as its owner, whom other policies bind, or none.
-- Mends: SECURITY INVOKER. One that is meant is declared with the digest of its body.
SELECT 'definer-callable' AS rule,
       'error' AS level,
       f.object,
       format('%s can call it, and it runs as its owner', f.callers) AS finding,
       format('ALTER ROUTINE %s SECURITY INVOKER;', f.routine) AS mend
FROM (
    SELECT p.oid::regprocedure AS routine,
           format('%s as %s, md5 %s%s', p.oid::regprocedure, pg_get_userbyid(p.proowner), md5(p.prosrc),
                  COALESCE(', set ' || array_to_string(p.proconfig, ', '), '')) AS object,
           (SELECT string_agg(r, ', ') FROM unnest(ARRAY['app_tenant', 'app_platform']) AS r
            WHERE to_regrole(r) IS NOT NULL
              AND has_schema_privilege(r, p.pronamespace, 'USAGE') AND has_function_privilege(r, p.oid, 'EXECUTE')) AS callers
    FROM pg_catalog.pg_proc AS p
    WHERE p.prosecdef
) AS f
WHERE f.callers IS NOT NULL
  AND NOT app.is_declared('definer-callable', f.object);
\set ON_ERROR_STOP on
\ir verdict.sql
