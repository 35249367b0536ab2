-- Reverts 0010 resolve principal: no token is accepted any more.
DELETE FROM app.declared_exceptions WHERE object ^@ 'app.resolve_principal(';
SET LOCAL ROLE app_resolver;
DROP FUNCTION app.resolve_principal(text, bytea);
RESET ROLE;
