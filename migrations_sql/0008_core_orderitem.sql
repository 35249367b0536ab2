-- 0008 core_orderitem: tenant isolation
-- Afterwards a line is visible and writable only inside its own tenant, and its order and product are of that tenant.
-- Needs: 0006_core_product, 0007_core_order. Proved by: tests/isolation.

ALTER TABLE core_orderitem
    ENABLE ROW LEVEL SECURITY,
    FORCE ROW LEVEL SECURITY;  -- binds the owner too

CREATE POLICY tenant_isolation ON core_orderitem
    TO app_tenant
    -- The sub-select is evaluated once per statement; no_tenant() raises, so a forgotten context is loud.
    USING (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())))
    WITH CHECK (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())));

CREATE POLICY platform_access ON core_orderitem
    TO app_platform
    USING ((SELECT app.require_platform()))
    WITH CHECK ((SELECT app.require_platform()));

CREATE POLICY owner_migration ON core_orderitem
    TO app_owner
    -- Inside a tenant context a data migration is scoped; outside it sees every row.
    USING ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id))
    WITH CHECK ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id));

-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.
ALTER TABLE core_orderitem ADD CONSTRAINT core_orderitem_tenant_key UNIQUE (tenant_id, id);

ALTER TABLE core_orderitem ADD CONSTRAINT core_orderitem_order_id_tenant_fkey
    FOREIGN KEY (tenant_id, order_id) REFERENCES core_order (tenant_id, id);

ALTER TABLE core_orderitem ADD CONSTRAINT core_orderitem_product_id_tenant_fkey
    FOREIGN KEY (tenant_id, product_id) REFERENCES core_product (tenant_id, id);

GRANT SELECT, INSERT, UPDATE, DELETE ON core_orderitem TO app_tenant, app_platform;
