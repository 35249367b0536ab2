-- Reverts 0001 ledger: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.mcp_ledger_auditevent';
REVOKE ALL ON mcp_ledger_idempotencykey, mcp_ledger_auditevent FROM app_tenant, app_platform;
ALTER TABLE mcp_ledger_idempotencykey DROP CONSTRAINT mcp_ledger_idempotencykey_tenant_key;
DROP POLICY owner_migration ON mcp_ledger_idempotencykey;
DROP POLICY platform_access ON mcp_ledger_idempotencykey;
DROP POLICY tenant_isolation ON mcp_ledger_idempotencykey;
ALTER TABLE mcp_ledger_auditevent DROP CONSTRAINT mcp_ledger_auditevent_tenant_key;
DROP POLICY owner_migration ON mcp_ledger_auditevent;
DROP POLICY platform_access ON mcp_ledger_auditevent;
DROP POLICY tenant_isolation ON mcp_ledger_auditevent;
