-- Reverts 0001 helpdesk_organisation: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.helpdesk_organisation';
REVOKE ALL ON helpdesk_organisation FROM app_tenant, app_platform;
DROP POLICY owner_migration ON helpdesk_organisation;
DROP POLICY platform_access ON helpdesk_organisation;
DROP POLICY tenant_isolation ON helpdesk_organisation;
