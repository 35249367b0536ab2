-- Reverts 0001 sign-in: nobody but the owner reaches the tables.
DELETE FROM app.declared_grants WHERE object IN ('public.mcp_sign_in_client', 'public.mcp_sign_in_consent');
REVOKE ALL ON mcp_sign_in_client, mcp_sign_in_consent FROM app_platform;
