-- 0015 role-unlimited (warning)
-- Problem: One statement, one lock or one flood of connections of a tenant can stop the other tenants.
-- Fix: Set the limits of 0000_roles. Other limits are fine; no limit is not.
SELECT 'role-unlimited' AS rule,
       'warning' AS level,
       r.rolname::text AS object,
       format('it has no %s', l.setting) AS finding,
       CASE WHEN c.is_of_database THEN format('ALTER ROLE %I IN DATABASE %I RESET %s;', r.rolname, current_database(), l.setting) ELSE l.mend END AS mend
FROM pg_catalog.pg_roles AS r
JOIN (VALUES
    ('app_tenant', 'statement_timeout', 'ALTER ROLE app_tenant SET statement_timeout = ''30s'';'),
    ('app_tenant', 'lock_timeout', 'ALTER ROLE app_tenant SET lock_timeout = ''5s'';'),
    ('app_tenant', 'idle_in_transaction_session_timeout', 'ALTER ROLE app_tenant SET idle_in_transaction_session_timeout = ''60s'';'),
    ('app_tenant', 'connection limit', 'ALTER ROLE app_tenant CONNECTION LIMIT 65;'),
    ('app_platform', 'statement_timeout', 'ALTER ROLE app_platform SET statement_timeout = ''10min'';'),
    ('app_platform', 'lock_timeout', 'ALTER ROLE app_platform SET lock_timeout = ''5s'';'),
    ('app_platform', 'idle_in_transaction_session_timeout', 'ALTER ROLE app_platform SET idle_in_transaction_session_timeout = ''60s'';'),
    ('app_platform', 'connection limit', 'ALTER ROLE app_platform CONNECTION LIMIT 20;')
) AS l (role_name, setting, mend) ON l.role_name = r.rolname
-- What is set for this database overrules what is set for all.
LEFT JOIN LATERAL (
    SELECT s.setdatabase <> 0 AS is_of_database, split_part(config, '=', 2) AS value
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN LATERAL unnest(s.setconfig) AS config
    WHERE s.setrole = r.oid
      AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))
      AND split_part(config, '=', 1) = l.setting
    ORDER BY s.setdatabase DESC
    LIMIT 1
) AS c ON true
WHERE CASE l.setting
          WHEN 'connection limit' THEN r.rolconnlimit < 0
          ELSE c.value IS NULL OR c.value ~ '^0+[a-z]*$'
      END;
\set ON_ERROR_STOP on
\ir verdict.sql
