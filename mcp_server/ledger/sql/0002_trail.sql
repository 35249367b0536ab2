-- 0002 trail: tenant isolation of the records of calls
-- Afterwards a record is visible and writable only inside its own tenant, and, once written, is changed by nobody.
-- Needs: 0003_audit. Proved by: tests/isolation, tests/mcp_server/ledger.

ALTER TABLE mcp_ledger_callrecord
    ENABLE ROW LEVEL SECURITY,
    FORCE ROW LEVEL SECURITY;  -- binds the owner too

CREATE POLICY tenant_isolation ON mcp_ledger_callrecord
    TO app_tenant
    -- The sub-select is evaluated once per statement; no_tenant() raises, so a forgotten context is loud.
    USING (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())))
    WITH CHECK (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())));

CREATE POLICY platform_access ON mcp_ledger_callrecord
    TO app_platform
    USING ((SELECT app.require_platform()))
    WITH CHECK ((SELECT app.require_platform()));

CREATE POLICY owner_migration ON mcp_ledger_callrecord
    TO app_owner
    -- Inside a tenant context a data migration is scoped; outside it sees every row.
    USING ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id))
    WITH CHECK ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id));

-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.
ALTER TABLE mcp_ledger_callrecord ADD CONSTRAINT mcp_ledger_callrecord_tenant_key UNIQUE (tenant_id, id);

GRANT SELECT, INSERT ON mcp_ledger_callrecord TO app_tenant;
GRANT SELECT, DELETE ON mcp_ledger_callrecord TO app_platform;

INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('public.mcp_ledger_callrecord', 'app_tenant', '{SELECT,INSERT}', 'Append-only: a fact is written once and never changed.'),
    ('public.mcp_ledger_callrecord', 'app_platform', '{SELECT,DELETE}', 'A tenant''s facts go with the tenant, or when they are old, and are changed by nobody.');
