-- Reverts 0013 core_customer: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE core_customer DROP CONSTRAINT core_customer_tenant_key;
REVOKE ALL ON core_customer FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_customer;
DROP POLICY platform_access ON core_customer;
DROP POLICY tenant_isolation ON core_customer;
