-- 0012 core_tenantsettings: tenant isolation
-- Afterwards a row is visible and writable only inside its own tenant.
-- Needs: 0003_audit. Proved by: manage.py rls audit.

ALTER TABLE core_tenantsettings
    ENABLE ROW LEVEL SECURITY,
    FORCE ROW LEVEL SECURITY;  -- binds the owner too

CREATE POLICY tenant_isolation ON core_tenantsettings
    TO app_tenant
    -- The sub-select is evaluated once per statement; no_tenant() raises, so a forgotten context is loud.
    USING (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())))
    WITH CHECK (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())));

CREATE POLICY platform_access ON core_tenantsettings
    TO app_platform
    USING ((SELECT app.require_platform()))
    WITH CHECK ((SELECT app.require_platform()));

CREATE POLICY owner_migration ON core_tenantsettings
    TO app_owner
    -- Inside a tenant context a data migration is scoped; outside it sees every row.
    USING ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id))
    WITH CHECK ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id));

-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.
ALTER TABLE core_tenantsettings ADD CONSTRAINT core_tenantsettings_tenant_key UNIQUE (tenant_id, id);

GRANT SELECT, INSERT, UPDATE ON core_tenantsettings TO app_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON core_tenantsettings TO app_platform;

INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('public.core_tenantsettings', 'app_tenant', '{SELECT,INSERT,UPDATE}', 'The row goes with the tenant, and not before.');
