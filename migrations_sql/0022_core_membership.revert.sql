-- Reverts 0022 core_membership: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.core_membership';
ALTER TABLE core_membership DROP CONSTRAINT core_membership_tenant_key;
REVOKE ALL ON core_membership FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_membership;
DROP POLICY platform_access ON core_membership;
DROP POLICY tenant_isolation ON core_membership;
