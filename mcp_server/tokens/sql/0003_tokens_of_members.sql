-- 0003 tokens that act for a member of their tenant
-- Afterwards a resolver that was made before is gone: it does not look at the member, and would let a token live on without
-- him. No token is accepted until an InstallResolver runs that depends on this.
-- Needs: 0002_narrower_tokens. Proved by: tests/mcp_server/test_operations.py.
DELETE FROM app.declared_exceptions WHERE object ^@ 'app.resolve_principal(';
SET LOCAL ROLE app_resolver;
DROP FUNCTION IF EXISTS app.resolve_principal(text, bytea);
RESET ROLE;
