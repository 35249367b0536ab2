-- Reverts 0021 core_exportpart: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.core_exportpart';
ALTER TABLE core_exportpart DROP CONSTRAINT core_exportpart_export_id_tenant_fkey;
ALTER TABLE core_exportpart DROP CONSTRAINT core_exportpart_tenant_key;
REVOKE ALL ON core_exportpart FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_exportpart;
DROP POLICY platform_access ON core_exportpart;
DROP POLICY tenant_isolation ON core_exportpart;
