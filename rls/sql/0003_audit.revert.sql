-- Reverts 0003 audit, and what InstallAudit has made of it.
DROP VIEW IF EXISTS app.isolation_findings;
DROP FUNCTION IF EXISTS app.find_weaknesses();
DROP VIEW IF EXISTS app.table_grants, app.expected_policies, app.tenanted_tables, app.roles;
DROP FUNCTION IF EXISTS app.is_declared(text, text);
REVOKE SELECT ON django_migrations FROM app_tenant, app_platform, app_auditor;
DROP TABLE app.declared_exceptions;
DROP TABLE app.declared_grants;
DROP TABLE app.platform_outcome;
DROP TABLE app.platform_audit;
