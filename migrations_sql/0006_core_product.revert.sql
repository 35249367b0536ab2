-- Reverts 0006 core_product: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE core_product DROP CONSTRAINT core_product_tenant_key;
REVOKE ALL ON core_product FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_product;
DROP POLICY platform_access ON core_product;
DROP POLICY tenant_isolation ON core_product;
