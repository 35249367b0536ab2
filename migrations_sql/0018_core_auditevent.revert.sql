-- Reverts 0018 core_auditevent: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.core_auditevent';
ALTER TABLE core_auditevent DROP CONSTRAINT core_auditevent_tenant_key;
REVOKE ALL ON core_auditevent FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_auditevent;
DROP POLICY platform_access ON core_auditevent;
DROP POLICY tenant_isolation ON core_auditevent;
