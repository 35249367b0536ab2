-- Reverts 0008 resolve principal: no token is accepted any more.
SET LOCAL ROLE app_resolver;
DROP FUNCTION app.resolve_principal(text, bytea);
RESET ROLE;
