-- Reverts 0020 core_export: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.core_export';
ALTER TABLE core_export DROP CONSTRAINT core_export_tenant_key;
REVOKE ALL ON core_export FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_export;
DROP POLICY platform_access ON core_export;
DROP POLICY tenant_isolation ON core_export;
