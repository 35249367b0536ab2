-- 0029 view-as-owner (error)
-- Problem: A view reads tenants' rows with its owner's privileges, directly or through another view, or somebody may
-- read a view that may read anything; or a materialized view holds tenants' rows.
-- Fix: Set security_invoker (PostgreSQL 15 and newer); drop a materialized view.
WITH RECURSIVE reads AS (
    SELECT DISTINCT r.ev_class AS view_oid, d.refobjid AS read_oid
    FROM pg_catalog.pg_rewrite AS r
    JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
),
over_tenants AS (
    SELECT reads.view_oid FROM reads JOIN app.tenanted_tables AS t ON t.oid = reads.read_oid
    UNION
    SELECT reads.view_oid FROM reads JOIN over_tenants AS o ON o.view_oid = reads.read_oid
)
SELECT 'view-as-owner' AS rule,
       'error' AS level,
       v.object,
       v.finding,
       CASE v.relkind WHEN 'm' THEN format('DROP MATERIALIZED VIEW %s CASCADE;', v.name)
                      ELSE format('ALTER VIEW %s SET (security_invoker = true);', v.name) END AS mend
FROM (
    SELECT v.relkind,
           v.oid::regclass AS name,
           format('%s, md5 %s', v.oid::regclass, md5(pg_get_viewdef(v.oid))) AS object,
           CASE WHEN o.view_oid IS NULL THEN 'it is granted, and reads with its owner''s rights'
                WHEN v.relkind = 'm' THEN 'it holds rows of all tenants, and has no policies'
                ELSE 'it reads tenants'' rows with its owner''s rights' END AS finding
    FROM pg_catalog.pg_class AS v
    LEFT JOIN over_tenants AS o ON o.view_oid = v.oid
    WHERE v.oid >= 16384
      AND (v.relkind = 'm'
           OR (v.relkind = 'v'
               AND NOT COALESCE((SELECT option_value::boolean FROM pg_options_to_table(v.reloptions) WHERE option_name = 'security_invoker'), false)))
      -- The audit's own views read the catalog only.
      AND (o.view_oid IS NOT NULL
           OR (v.relnamespace IS DISTINCT FROM to_regnamespace('app') AND EXISTS (SELECT FROM app.table_grants AS g WHERE g.oid = v.oid)))
) AS v
WHERE NOT app.is_declared('view-as-owner', v.object);
\set ON_ERROR_STOP on
\ir verdict.sql
