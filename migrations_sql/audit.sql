-- The audit, for psql: psql "$AUDITOR_DATABASE_URL" -f migrations_sql/audit.sql
-- Exit status 0: no finding. 3: findings, each with the SQL that mends it.
\set ON_ERROR_STOP on
\pset pager off
SELECT rule, object, finding, mend FROM app.isolation_findings ORDER BY rule, object;
SELECT count(*) AS tenanted_tables FROM app.tenanted_tables;
-- A DO block would need the procedural language that 0000_superuser.sql revokes; a division needs nothing.
SELECT count(*) > 0 AS has_findings FROM app.isolation_findings \gset
\if :has_findings
\echo 'audit: red'
SELECT 1 / 0 AS "stops psql with status 3";
\endif
\echo 'audit: green'
