-- Reverts 0003 audit.
DROP TABLE app.declared_exceptions;
DROP TABLE app.declared_grants;
DROP TABLE app.platform_audit;
