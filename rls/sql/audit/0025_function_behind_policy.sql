-- 0025 function-behind-policy (error)
-- Problem: A function that the policies or the audit call is not the one that 0002_tenant_context and catalog.sql
-- make. It decides as much as the policy's own expression.
-- Fix: Run the function's file again.
SELECT 'function-behind-policy' AS rule,
       'error' AS level,
       e.signature AS object,
       'it is missing, or not the function that the files make' AS finding,
       CASE WHEN p.proowner <> to_regrole('app_owner') THEN format(E'ALTER FUNCTION %s OWNER TO app_owner;\n', e.signature) ELSE '' END
           || '\i rls/sql/' || e.file AS mend
FROM (VALUES
    ('app.no_tenant()', '0002_tenant_context.sql', 's', '41e042bd2799d5ff283b6d7a3101c667'),
    ('app.tenant_or_null()', '0002_tenant_context.sql', 's', 'b722231be0694cd165391799c7bb7504'),
    ('app.require_migrating()', '0002_tenant_context.sql', 's', '99bf7a6f6fa16a5c235f3ddd9222d766'),
    ('app.require_platform()', '0002_tenant_context.sql', 's', 'fb4218259eadea71487dee88f2094bde'),
    ('app.open_platform(text,text,text)', '0002_tenant_context.sql', 'v', '47d397cba3e01faa20d6a4e1762e5848'),
    ('app.uuid7()', '0002_tenant_context.sql', 'v', '7f4ce37bcde690760e44e294b3020a88'),
    ('app.is_declared(text,text)', 'audit/catalog.sql', 's', 'f55d2f5e5a6a0da8e7eee540a542cf72')
) AS e (signature, file, volatility, body)
LEFT JOIN pg_catalog.pg_proc AS p ON p.oid = to_regprocedure(e.signature)
WHERE p.oid IS NULL
   OR p.provolatile::text <> e.volatility
   OR p.prosecdef
   OR p.proleakproof
   OR p.proisstrict
   OR p.proparallel <> CASE WHEN e.signature ~ 'open_platform|is_declared' THEN 'u' ELSE 's' END::"char"
   OR p.proowner <> to_regrole('app_owner')
   OR md5(p.prosrc) <> e.body
   OR (SELECT l.lanname FROM pg_catalog.pg_language AS l WHERE l.oid = p.prolang) NOT IN ('sql', 'plpgsql')
   OR COALESCE(p.proconfig, '{}') <> CASE WHEN e.signature IN ('app.tenant_or_null()', 'app.uuid7()') THEN '{}' ELSE ARRAY['search_path=pg_catalog, pg_temp'] END
UNION ALL
SELECT 'function-behind-policy', 'error', 'app.' || e.view_name, 'it is missing, or not the view that the files make',
       '\i rls/sql/audit/catalog.sql'
FROM (VALUES
    ('roles', ARRAY['6c790055120d326a1a9358822b313ece', 'd0b5fa7e18dff6f0c363230f4f4cc602']),
    ('tenanted_tables', ARRAY['0de46f7293720c6a828bbfeba27bbfe9', '8251d394d88a039fff0118b686ffd57e']),
    ('expected_policies', ARRAY['8ce8807d9fad8bb9a57ffc2478a858b6']),
    ('table_grants', ARRAY['f1a59c5f73aad6684d681cf80fc63944'])
) AS e (view_name, definitions)
WHERE NOT COALESCE(md5(regexp_replace(pg_get_viewdef(to_regclass('app.' || e.view_name)), '\s+', '', 'g')) = ANY (e.definitions), false);
\set ON_ERROR_STOP on
\ir verdict.sql
