-- 0029 view-as-owner (error)
-- Means: a view reads tenants' rows with its owner's rights, directly or through another view; a materialized view holds them.
-- Mends: security_invoker (PostgreSQL 15 and newer), or dropping what is materialized.
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
       v.oid::regclass::text AS object,
       CASE v.relkind WHEN 'm' THEN 'it holds rows of all tenants, and has no policies' ELSE 'it reads tenants'' rows with its owner''s rights' END AS finding,
       CASE v.relkind WHEN 'm' THEN format('DROP MATERIALIZED VIEW %s CASCADE;', v.oid::regclass)
                      ELSE format('ALTER VIEW %s SET (security_invoker = true);', v.oid::regclass) END AS mend
FROM over_tenants
JOIN pg_catalog.pg_class AS v ON v.oid = over_tenants.view_oid
WHERE (v.relkind = 'm'
       OR (v.relkind = 'v' AND NOT COALESCE(v.reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)))
  AND NOT app.is_declared('view-as-owner', format('%s md5 %s', v.oid::regclass, md5(pg_get_viewdef(v.oid))));
\set ON_ERROR_STOP on
\ir verdict.sql
