-- 0004 core_tenant: the root of isolation
-- Afterwards a tenant sees its own row of this table and can change nothing in it.
-- Needs: 0002_tenant_context. Proved by: tests/isolation.

ALTER TABLE core_tenant
    ENABLE ROW LEVEL SECURITY,
    FORCE ROW LEVEL SECURITY;  -- binds the owner too

CREATE POLICY tenant_isolation ON core_tenant
    TO app_tenant
    -- The sub-select is evaluated once per statement; no_tenant() raises, so a forgotten context is loud.
    USING (id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())))
    WITH CHECK (id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())));

CREATE POLICY platform_access ON core_tenant
    TO app_platform
    USING ((SELECT app.require_platform()))
    WITH CHECK ((SELECT app.require_platform()));

CREATE POLICY owner_migration ON core_tenant
    TO app_owner
    -- Inside a tenant context a data migration is scoped; outside it sees every row.
    USING ((SELECT app.require_migrating()) AND id = COALESCE((SELECT app.tenant_or_null()), id))
    WITH CHECK ((SELECT app.require_migrating()) AND id = COALESCE((SELECT app.tenant_or_null()), id));

GRANT SELECT ON core_tenant TO app_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON core_tenant TO app_platform;

INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('public.core_tenant', 'app_tenant', '{SELECT}', 'A tenant reads its own row; the platform makes and suspends tenants.');
