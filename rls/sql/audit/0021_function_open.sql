-- 0021 function-open (warning)
-- Problem: A role can call a function of PostgreSQL that switches the tenant, runs a text as SQL, reaches other
-- sessions, reads what has no policy, or leaves something on the connection. 0001_superuser revokes these; on a
-- managed server nobody can, and this warning stays.
-- Fix: Revoke EXECUTE, as a superuser. For large objects this costs nothing unless the server uses them.
SELECT 'function-open' AS rule,
       'warning' AS level,
       f.oid::regprocedure::text AS object,
       'a statement could switch the tenant, or reach past the policies, through it' AS finding,
       format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, app_tenant;', f.oid::regprocedure) AS mend
FROM pg_catalog.pg_proc AS f
WHERE f.pronamespace = 'pg_catalog'::regnamespace
  -- The same names as in 0001_superuser.
  AND (f.proname ~ '^(query|table|schema|database|cursor)_to_xml'
       OR f.proname ~ '^lo_' OR f.proname ~ '^pg_(stat_get_|current_wal_|control_)' OR f.proname ~ '^pg_(try_)?advisory_lock'
       OR f.prosrc IN ('ts_stat1', 'ts_stat2', 'tsquery_rewrite_query')
       OR f.proname IN ('set_config', 'loread', 'lowrite', 'pg_terminate_backend', 'pg_cancel_backend', 'pg_lock_status',
                        'pg_notification_queue_usage', 'currtid2', 'pg_logical_emit_message', 'pg_export_snapshot', 'pg_notify', 'setseed'))
  AND has_function_privilege('app_tenant', f.oid, 'EXECUTE');
\set ON_ERROR_STOP on
\ir verdict.sql
