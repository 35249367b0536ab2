-- Reverts 0007 core_order: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE core_order DROP CONSTRAINT core_order_placed_by_id_tenant_fkey;
ALTER TABLE core_order DROP CONSTRAINT core_order_tenant_key;
REVOKE ALL ON core_order FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_order;
DROP POLICY platform_access ON core_order;
DROP POLICY tenant_isolation ON core_order;
