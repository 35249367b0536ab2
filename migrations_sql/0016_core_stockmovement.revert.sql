-- Reverts 0016 core_stockmovement: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.core_stockmovement';
ALTER TABLE core_stockmovement DROP CONSTRAINT core_stockmovement_order_id_tenant_fkey;
ALTER TABLE core_stockmovement DROP CONSTRAINT core_stockmovement_product_id_tenant_fkey;
ALTER TABLE core_stockmovement DROP CONSTRAINT core_stockmovement_tenant_key;
REVOKE ALL ON core_stockmovement FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_stockmovement;
DROP POLICY platform_access ON core_stockmovement;
DROP POLICY tenant_isolation ON core_stockmovement;
