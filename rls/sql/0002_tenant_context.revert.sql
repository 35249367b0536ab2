-- Reverts 0002 tenant context.
DROP FUNCTION app.uuid7();
DROP FUNCTION app.require_platform();
DROP FUNCTION app.open_platform(text, text, text);
DROP FUNCTION app.require_migrating();
DROP FUNCTION app.tenant_or_null();
DROP FUNCTION app.no_tenant();
