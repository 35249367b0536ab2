-- Reverts 0004 core_tenant: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.core_tenant';
REVOKE ALL ON core_tenant FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_tenant;
DROP POLICY platform_access ON core_tenant;
DROP POLICY tenant_isolation ON core_tenant;
