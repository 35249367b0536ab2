-- Reverts 0017 core_productterm: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE core_productterm DROP CONSTRAINT core_productterm_product_id_tenant_fkey;
ALTER TABLE core_productterm DROP CONSTRAINT core_productterm_tenant_key;
REVOKE ALL ON core_productterm FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_productterm;
DROP POLICY platform_access ON core_productterm;
DROP POLICY tenant_isolation ON core_productterm;
