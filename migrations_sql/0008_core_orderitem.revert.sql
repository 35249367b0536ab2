-- Reverts 0008 core_orderitem: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE core_orderitem DROP CONSTRAINT core_orderitem_product_id_tenant_fkey;
ALTER TABLE core_orderitem DROP CONSTRAINT core_orderitem_order_id_tenant_fkey;
ALTER TABLE core_orderitem DROP CONSTRAINT core_orderitem_tenant_key;
REVOKE ALL ON core_orderitem FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_orderitem;
DROP POLICY platform_access ON core_orderitem;
DROP POLICY tenant_isolation ON core_orderitem;
