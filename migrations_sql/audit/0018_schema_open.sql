-- 0018 schema-open (error)
-- Means: a role that only uses the database could make objects in it: a temporary table that hides a real one, a function.
-- Mends: revoking the right.
SELECT 'schema-open' AS rule,
       'error' AS level,
       format('%s on %s', can.privilege, can.place) AS object,
       format('%s could make objects of its own', r.rolname) AS finding,
       format('REVOKE %s ON %s FROM PUBLIC, %I;', can.privilege, can.place, r.rolname) AS mend
FROM pg_catalog.pg_roles AS r
CROSS JOIN LATERAL (
    SELECT 'CREATE' AS privilege, format('SCHEMA %I', n.nspname) AS place
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname !~ '^pg_' AND has_schema_privilege(r.oid, n.oid, 'CREATE')
    UNION ALL
    SELECT p, format('DATABASE %I', current_database())
    FROM unnest(ARRAY['CREATE', 'TEMP']) AS p
    WHERE has_database_privilege(r.oid, current_database(), p)
) AS can
WHERE r.rolname IN ('app_tenant', 'app_platform', 'app_auditor', 'app_resolver')
  AND NOT r.rolsuper;
\set ON_ERROR_STOP on
\ir verdict.sql
