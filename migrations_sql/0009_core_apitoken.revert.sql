-- Reverts 0009 core_apitoken: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_exceptions WHERE object ^@ 'public.core_apitoken.';
DELETE FROM app.declared_grants WHERE object IN ('public.core_apitoken', 'public.core_platformtoken');
REVOKE ALL ON core_platformtoken FROM app_platform, app_resolver;
REVOKE ALL ON core_apitoken FROM app_resolver;
DROP POLICY token_use ON core_apitoken;
DROP POLICY token_lookup ON core_apitoken;
ALTER TABLE core_apitoken DROP CONSTRAINT core_apitoken_user_id_tenant_fkey;
ALTER TABLE core_apitoken DROP CONSTRAINT core_apitoken_tenant_key;
REVOKE ALL ON core_apitoken FROM app_platform;
DROP POLICY owner_migration ON core_apitoken;
DROP POLICY platform_access ON core_apitoken;
DROP POLICY tenant_isolation ON core_apitoken;
