-- 0022 core_membership: tenant isolation
-- Afterwards a tenant sees who its own members are and changes nothing of it; the platform says who is one, and as what.
-- Needs: 0003_audit. Proved by: tests/isolation, tests/core/test_members.py.

ALTER TABLE core_membership
    ENABLE ROW LEVEL SECURITY,
    FORCE ROW LEVEL SECURITY;  -- binds the owner too

CREATE POLICY tenant_isolation ON core_membership
    TO app_tenant
    -- The sub-select is evaluated once per statement; no_tenant() raises, so a forgotten context is loud.
    USING (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())))
    WITH CHECK (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())));

CREATE POLICY platform_access ON core_membership
    TO app_platform
    USING ((SELECT app.require_platform()))
    WITH CHECK ((SELECT app.require_platform()));

CREATE POLICY owner_migration ON core_membership
    TO app_owner
    -- Inside a tenant context a data migration is scoped; outside it sees every row.
    USING ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id))
    WITH CHECK ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id));

-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.
ALTER TABLE core_membership ADD CONSTRAINT core_membership_tenant_key UNIQUE (tenant_id, id);

GRANT SELECT ON core_membership TO app_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON core_membership TO app_platform;

INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('public.core_membership', 'app_tenant', '{SELECT}', 'A statement injected into a tool must not make anybody a member, nor raise a role.');
