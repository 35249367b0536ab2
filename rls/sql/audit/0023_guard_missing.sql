-- 0023 guard-missing (warning)
-- Problem: An event trigger is missing: new tables are not put under row-level security, or the serving role can drop
-- its policies with DROP OWNED.
-- Fix: Run 0001_superuser, as a superuser. The policies hold without it.
SELECT 'guard-missing' AS rule,
       'warning' AS level,
       e.guard AS object,
       'the event trigger is not there, not enabled, or not as 0001_superuser makes it' AS finding,
       '\i rls/sql/0001_superuser.sql' AS mend
FROM (VALUES
    ('keep_row_security', 'ddl_command_end', ARRAY['ALTER TABLE', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO'], '3baab283c841cab440ed0adc094d2b82'),
    ('refuse_ddl', 'ddl_command_start', NULL, '5734fd39fae0c2321af9aaf1f311dbfd')
) AS e (guard, event, tags, body)
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_event_trigger AS t
    JOIN pg_catalog.pg_proc AS f ON f.oid = t.evtfoid
    WHERE t.evtname = e.guard
      AND t.evtevent = e.event
      AND t.evtenabled IN ('O', 'A')
      AND (SELECT array_agg(tag ORDER BY tag) FROM unnest(t.evttags) AS tag) IS NOT DISTINCT FROM e.tags
      AND md5(f.prosrc) = e.body
      AND f.proconfig = ARRAY['search_path=pg_catalog, pg_temp']
      AND NOT f.prosecdef
      AND pg_get_userbyid(f.proowner) !~ '^app_'
);
\set ON_ERROR_STOP on
\ir verdict.sql
