-- Reverts 0002 trail: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.mcp_ledger_callrecord';
REVOKE ALL ON mcp_ledger_callrecord FROM app_tenant, app_platform;
ALTER TABLE mcp_ledger_callrecord DROP CONSTRAINT mcp_ledger_callrecord_tenant_key;
DROP POLICY owner_migration ON mcp_ledger_callrecord;
DROP POLICY platform_access ON mcp_ledger_callrecord;
DROP POLICY tenant_isolation ON mcp_ledger_callrecord;
