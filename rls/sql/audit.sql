-- The audit, for psql: psql "$AUDITOR_DATABASE_URL" -f rls/sql/audit.sql
-- Runs each rule of audit/ as it stands in these files, against the catalog, and prints what it finds with the SQL that
-- mends it. The view app.isolation_findings says the same, as long as nobody has replaced it.
-- Exit status 0: no finding. 3: findings, or a rule that could not run. 2: no connection.
-- With -v fail_on=error warnings are printed and do not count.
\set ON_ERROR_STOP on
\set QUIET on
\pset pager off
\pset format unaligned
\pset tuples_only on
\pset fieldsep '\n    '
-- Nothing in another schema may stand for PostgreSQL's own functions and operators.
SET search_path = pg_catalog, pg_temp;
SET jit = off;
\set findings 0
\ir audit/0001_row_security_off.sql
\ir audit/0002_policy_missing.sql
\ir audit/0003_policy_differs.sql
\ir audit/0004_policy_extra.sql
\ir audit/0005_tenant_nullable.sql
\ir audit/0006_tenant_unreferenced.sql
\ir audit/0007_foreign_key_without_tenant.sql
\ir audit/0008_unique_without_tenant.sql
\ir audit/0011_owner_wrong.sql
\ir audit/0012_role_too_strong.sql
\ir audit/0013_role_membership.sql
\ir audit/0014_role_bypasses.sql
\ir audit/0016_grant_too_wide.sql
\ir audit/0017_shared_undeclared.sql
\ir audit/0018_schema_open.sql
\ir audit/0019_default_privileges.sql
\ir audit/0024_definer_callable.sql
\ir audit/0025_function_behind_policy.sql
\ir audit/0026_function_volatility.sql
\ir audit/0027_leakproof_marked.sql
\ir audit/0028_variable_default.sql
\ir audit/0029_view_as_owner.sql
\ir audit/0030_rule_rewrites.sql
\ir audit/0031_trigger_undeclared.sql
\ir audit/0032_parent_without_tenant.sql
\ir audit/0033_extension_widens.sql
\ir audit/0035_key_unchecked.sql
\ir audit/0037_tenant_hidden.sql
\ir audit/0038_policy_stands_on.sql
\ir audit/0039_function_callable.sql
\ir audit/0040_parameter_granted.sql
\ir audit/0041_setting_weak.sql
\ir audit/0042_audit_log_altered.sql
\set errors :findings
\ir audit/0009_index_missing.sql
\ir audit/0010_index_useless.sql
\ir audit/0015_role_unlimited.sql
\ir audit/0020_catalog_open.sql
\ir audit/0021_function_open.sql
\ir audit/0022_language_open.sql
\ir audit/0023_guard_missing.sql
\ir audit/0034_published.sql
\ir audit/0036_key_missing.sql
\if :{?fail_on}
    SELECT CASE :'fail_on' WHEN 'error' THEN :errors ELSE :findings END AS counted \gset
\else
    \set counted :findings
\endif
SELECT format('tenanted tables: %s; errors: %s; warnings: %s', count(*), :errors, :findings - :errors) FROM app.tenanted_tables;
SELECT format('declared exceptions: %s; declared grants: %s; app.declared_exceptions and app.declared_grants say why',
              (SELECT count(*) FROM app.declared_exceptions), (SELECT count(*) FROM app.declared_grants));
SELECT :counted > 0 AS is_red \gset
\if :is_red
    \echo 'audit: red'
    SELECT 1 / 0 AS "stops psql with status 3";
\endif
\echo 'audit: green'
