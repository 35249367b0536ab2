-- 0041 setting-weak (error)
-- Problem: The server's configuration switches keys, policies or guards off, or gives a value to a variable that
-- decides which rows are visible before anybody opens a context.
-- Fix: Reset the setting, as a superuser; edit postgresql.conf where the value is there.
SELECT 'setting-weak' AS rule,
       'error' AS level,
       s.name AS object,
       format('the value is %L', current_setting(s.name, true)) AS finding,
       CASE WHEN s.name ~ '^app[.]' THEN '-- remove ' || s.name || ' from postgresql.conf and postgresql.auto.conf'
            ELSE format('ALTER SYSTEM RESET %s;', s.name) END AS mend
FROM (VALUES
    ('session_replication_role', 'origin'),
    ('row_security', 'on'),
    ('event_triggers', 'on'),
    ('standard_conforming_strings', 'on'),
    ('transform_null_equals', 'off'),
    ('allow_system_table_mods', 'off'),
    ('max_prepared_transactions', '0'),
    ('app.current_tenant', ''),
    ('app.platform_audit_id', ''),
    ('app.migrating', '')
) AS s (name, wanted)
WHERE (s.name !~ '^app[.]' OR session_user = 'app_auditor')  -- another session may have opened a context
  AND COALESCE(current_setting(s.name, true), s.wanted) NOT IN (s.wanted, '')
UNION ALL
SELECT 'setting-weak', 'error', 'role app_auditor', 'its transactions may write', 'ALTER ROLE app_auditor SET default_transaction_read_only = on;'
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_db_role_setting AS s
    WHERE s.setrole = to_regrole('app_auditor') AND 'default_transaction_read_only=on' = ANY (s.setconfig)
);
\set ON_ERROR_STOP on
\ir verdict.sql
