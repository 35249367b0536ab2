-- 0024 definer-callable (error)
-- Problem: A role calls a SECURITY DEFINER function, or something runs it for a role, and so acts as the function's
-- owner, to whom other policies apply, or none.
-- Fix: Make it SECURITY INVOKER. If it is intended, declare it with the digest of its body.
SELECT 'definer-callable' AS rule,
       'error' AS level,
       f.object,
       format('%s can call it, and it runs as its owner', f.callers) AS finding,
       format('ALTER ROUTINE %s SECURITY INVOKER;', f.routine) AS mend
FROM (
    SELECT p.oid::regprocedure AS routine,
           format('%s as %s, md5 %s%s', p.oid::regprocedure, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid), p.probin)),
                  COALESCE(', set ' || array_to_string(p.proconfig, ', '), '')) AS object,
           (SELECT string_agg(DISTINCT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END, ', ')
            FROM aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS acl
            WHERE acl.grantee <> p.proowner
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = acl.grantee AND r.rolsuper)) AS callers
    FROM pg_catalog.pg_proc AS p
    WHERE p.prosecdef
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
) AS f
WHERE f.callers IS NOT NULL
  AND NOT app.is_declared('definer-callable', f.object)
UNION ALL
-- What nobody may call, and something runs all the same: a trigger, a view, an aggregate, a default, a cast.
SELECT DISTINCT 'definer-callable', 'error', f.object, format('%s runs it, as its owner', pg_describe_object(d.classid, d.objid, d.objsubid)),
       format('ALTER ROUTINE %s SECURITY INVOKER;', f.routine)
FROM (
    SELECT p.oid,
           p.oid::regprocedure AS routine,
           format('%s as %s, md5 %s%s', p.oid::regprocedure, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid), p.probin)),
                  COALESCE(', set ' || array_to_string(p.proconfig, ', '), '')) AS object
    FROM pg_catalog.pg_proc AS p
    WHERE p.prosecdef AND p.oid >= 16384
) AS f
JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = f.oid AND d.deptype IN ('n', 'a')
WHERE NOT app.is_declared('definer-callable', f.object);
\set ON_ERROR_STOP on
\ir verdict.sql
