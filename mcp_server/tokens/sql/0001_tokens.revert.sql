-- Reverts 0001 tokens: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_exceptions WHERE object ^@ 'public.mcp_tokens_apitoken.';
DELETE FROM app.declared_grants WHERE object IN ('public.mcp_tokens_apitoken', 'public.mcp_tokens_platformtoken');
REVOKE ALL ON mcp_tokens_platformtoken, mcp_tokens_apitoken FROM app_platform, app_resolver;
DROP POLICY token_use ON mcp_tokens_apitoken;
DROP POLICY token_lookup ON mcp_tokens_apitoken;
ALTER TABLE mcp_tokens_apitoken DROP CONSTRAINT mcp_tokens_apitoken_tenant_key;
DROP POLICY owner_migration ON mcp_tokens_apitoken;
DROP POLICY platform_access ON mcp_tokens_apitoken;
DROP POLICY tenant_isolation ON mcp_tokens_apitoken;
