-- 0002 tokens that are good for less
-- Afterwards a resolver that was made before is gone: it knows no list of tools, and would let a token do all that its
-- scopes allow. No token is accepted until an InstallResolver runs that depends on this.
-- Needs: 0001_tokens. Proved by: tests/mcp_server/test_operations.py.
DELETE FROM app.declared_exceptions WHERE object ^@ 'app.resolve_principal(';
SET LOCAL ROLE app_resolver;
DROP FUNCTION IF EXISTS app.resolve_principal(text, bytea);
RESET ROLE;
