-- 0006 states: tenant isolation of what tools keep between calls
-- Afterwards a state is visible and writable only inside its own tenant, and the platform forgets what has expired.
-- Needs: 0003_audit. Proved by: tests/isolation, tests/mcp_server/ledger/test_states.py.

ALTER TABLE mcp_ledger_state
    ENABLE ROW LEVEL SECURITY,
    FORCE ROW LEVEL SECURITY;  -- binds the owner too

CREATE POLICY tenant_isolation ON mcp_ledger_state
    TO app_tenant
    -- The sub-select is evaluated once per statement; no_tenant() raises, so a forgotten context is loud.
    USING (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())))
    WITH CHECK (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())));

CREATE POLICY platform_access ON mcp_ledger_state
    TO app_platform
    USING ((SELECT app.require_platform()))
    WITH CHECK ((SELECT app.require_platform()));

CREATE POLICY owner_migration ON mcp_ledger_state
    TO app_owner
    -- Inside a tenant context a data migration is scoped; outside it sees every row.
    USING ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id))
    WITH CHECK ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id));

-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.
ALTER TABLE mcp_ledger_state ADD CONSTRAINT mcp_ledger_state_tenant_key UNIQUE (tenant_id, id);

GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_ledger_state TO app_tenant, app_platform;
