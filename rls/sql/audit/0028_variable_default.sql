-- 0028 variable-default (error)
-- Problem: A variable that decides which rows are visible has a value although nobody opened a context: on a role, on
-- the database, on a function or in the server's configuration.
-- Fix: Reset the variable.
SELECT 'variable-default' AS rule,
       'error' AS level,
       CASE WHEN s.setrole <> 0 THEN 'role ' || s.setrole::regrole WHEN s.setdatabase = 0 THEN 'every role' ELSE 'database ' || quote_ident(current_database()) END AS object,
       setting AS finding,
       CASE WHEN s.setrole = 0 AND s.setdatabase = 0 THEN format('ALTER ROLE ALL RESET %s;', split_part(setting, '=', 1))
            WHEN s.setrole = 0 THEN format('ALTER DATABASE %I RESET %s;', current_database(), split_part(setting, '=', 1))
            ELSE format('ALTER ROLE %s %sRESET %s;', s.setrole::regrole,
                        CASE WHEN s.setdatabase <> 0 THEN format('IN DATABASE %I ', current_database()) END, split_part(setting, '=', 1)) END AS mend
FROM pg_catalog.pg_db_role_setting AS s
CROSS JOIN LATERAL unnest(s.setconfig) AS setting
WHERE setting ~* '^(app\.|row_security|search_path|role|session_authorization|session_preload|local_preload|session_replication_role|standard_conforming_strings|backslash_quote|event_triggers|transform_null_equals)'
  AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))
  AND (s.setrole = 0 OR pg_get_userbyid(s.setrole) IN (SELECT role_name FROM app.roles))
UNION ALL
SELECT 'variable-default', 'error', f.oid::regprocedure::text, setting,
       format('ALTER ROUTINE %s RESET %s;', f.oid::regprocedure, split_part(setting, '=', 1))
FROM pg_catalog.pg_proc AS f
CROSS JOIN LATERAL unnest(f.proconfig) AS setting
WHERE setting ~* '^(app\.|row_security=(?!on$)|role=|session_authorization=|session_replication_role=)';
\set ON_ERROR_STOP on
\ir verdict.sql
