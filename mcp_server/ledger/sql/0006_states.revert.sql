-- Reverts 0006 states: no policy is left, so nobody but a superuser sees a row.
REVOKE ALL ON mcp_ledger_state FROM app_tenant, app_platform;
ALTER TABLE mcp_ledger_state DROP CONSTRAINT mcp_ledger_state_tenant_key;
DROP POLICY owner_migration ON mcp_ledger_state;
DROP POLICY platform_access ON mcp_ledger_state;
DROP POLICY tenant_isolation ON mcp_ledger_state;
