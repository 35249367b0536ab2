-- The resolver reads columns of <table>, whose rows belong to no tenant
-- Afterwards app.resolve_principal() reads these columns: who the bearer of a token is, and whether he may still sign in.
-- Needs: 0003_audit. Proved by: tests/mcp_server/test_operations.py, tests/core/test_member_tokens.py.

GRANT SELECT (<columns>) ON <table> TO app_resolver;

INSERT INTO app.declared_grants (object, role_name, privileges, reason)
SELECT format('%I.%I', n.nspname, c.relname), 'app_resolver',
       ARRAY(SELECT format('SELECT (%I)', name) FROM unnest(ARRAY[<column_names>]) AS name),
       'Shared: app.resolve_principal() reads whose token it is.'
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = <table_name>::regclass;
