-- 0033 extension-widens (error)
-- Problem: An extension, an untrusted language or a foreign server reaches rows or sessions without policies: over a
-- connection of its own, from files and pages, or by running a text as SQL.
-- Fix: Drop it. If it is intended, and app_tenant can't call its functions, declare it.
SELECT 'extension-widens' AS rule,
       'error' AS level,
       w.object,
       w.finding,
       w.mend
FROM (
    SELECT 'extension ' || e.extname AS object,
           'it reaches rows or other sessions past the policies' AS finding,
           format('DROP EXTENSION %I CASCADE;', e.extname) AS mend
    FROM pg_catalog.pg_extension AS e
    WHERE e.extname IN ('dblink', 'postgres_fdw', 'file_fdw', 'adminpack', 'pageinspect', 'pgstattuple', 'pg_walinspect', 'pg_visibility',
                        'pg_buffercache', 'pg_freespacemap', 'pg_surgery', 'pgrowlocks', 'pg_stat_statements', 'lo', 'xml2', 'tablefunc',
                        'pg_cron', 'pg_background', 'http', 'pg_net')
    UNION ALL
    SELECT 'language ' || l.lanname, 'its functions run outside what PostgreSQL guards', format('DROP LANGUAGE %I CASCADE;', l.lanname)
    FROM pg_catalog.pg_language AS l
    WHERE l.lanispl AND NOT l.lanpltrusted
    UNION ALL
    SELECT 'server ' || s.srvname, 'its tables are read elsewhere, where no policy is asked', format('DROP SERVER %I CASCADE;', s.srvname)
    FROM pg_catalog.pg_foreign_server AS s
) AS w
WHERE NOT app.is_declared('extension-widens', w.object);
\set ON_ERROR_STOP on
\ir verdict.sql
