-- Reverts 0003 audit.
REVOKE SELECT ON django_migrations FROM app_tenant, app_platform, app_auditor;
DROP TABLE app.declared_exceptions;
DROP TABLE app.declared_grants;
DROP TABLE app.platform_outcome;
DROP TABLE app.platform_audit;
