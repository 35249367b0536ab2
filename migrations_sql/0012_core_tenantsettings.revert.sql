-- Reverts 0012 core_tenantsettings: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.core_tenantsettings';
ALTER TABLE core_tenantsettings DROP CONSTRAINT core_tenantsettings_tenant_key;
REVOKE ALL ON core_tenantsettings FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_tenantsettings;
DROP POLICY platform_access ON core_tenantsettings;
DROP POLICY tenant_isolation ON core_tenantsettings;
