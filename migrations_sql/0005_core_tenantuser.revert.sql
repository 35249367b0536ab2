-- Reverts 0005 core_tenantuser: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE core_tenantuser DROP CONSTRAINT core_tenantuser_tenant_key;
REVOKE ALL ON core_tenantuser FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_tenantuser;
DROP POLICY platform_access ON core_tenantuser;
DROP POLICY tenant_isolation ON core_tenantuser;
