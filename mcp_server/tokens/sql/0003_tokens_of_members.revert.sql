-- Reverts 0003: a resolver that reads the column would fail, so it is gone too.
DELETE FROM app.declared_exceptions WHERE object ^@ 'app.resolve_principal(';
SET LOCAL ROLE app_resolver;
DROP FUNCTION IF EXISTS app.resolve_principal(text, bytea);
RESET ROLE;
