-- 0022 language-open (warning)
-- Problem: DO runs procedural code inside one statement, and that code can SET app.current_tenant.
-- Fix: Revoke USAGE on the language, as its owner or a superuser.
SELECT 'language-open' AS rule,
       'warning' AS level,
       l.lanname::text AS object,
       'DO could switch the tenant inside one statement' AS finding,
       format('REVOKE USAGE ON LANGUAGE %I FROM PUBLIC, app_tenant;', l.lanname) AS mend
FROM pg_catalog.pg_language AS l
WHERE l.lanpltrusted
  AND has_language_privilege('app_tenant', l.oid, 'USAGE');
\set ON_ERROR_STOP on
\ir verdict.sql
