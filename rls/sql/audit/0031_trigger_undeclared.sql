-- 0031 trigger-undeclared (error)
-- Problem: A trigger runs for each row of a tenant, or of the platform's log. It can drop the row, copy it elsewhere,
-- or stop one tenant's statement because of another tenant's rows.
-- Fix: Drop the trigger. If it is intended, declare it with the digest of its function.
SELECT 'trigger-undeclared' AS rule,
       'error' AS level,
       g.object,
       'a trigger that no file declares runs for each row' AS finding,
       g.mend
FROM (
    SELECT format('%s.%I calls %s%s, md5 %s', t.name, g.tgname, g.tgfoid::regproc, CASE WHEN f.prosecdef THEN ' as ' || pg_get_userbyid(f.proowner) END, md5(concat(f.prosrc, f.probin))) AS object,
           format('DROP TRIGGER %I ON %s;', g.tgname, t.name) AS mend
    FROM (SELECT oid, name FROM app.tenanted_tables UNION ALL SELECT to_regclass('app.platform_audit'), 'app.platform_audit'
          UNION ALL SELECT to_regclass('app.platform_outcome'), 'app.platform_outcome') AS t
    JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgparentid = 0
    JOIN pg_catalog.pg_proc AS f ON f.oid = g.tgfoid
) AS g
WHERE NOT app.is_declared('trigger-undeclared', g.object);
\set ON_ERROR_STOP on
\ir verdict.sql
