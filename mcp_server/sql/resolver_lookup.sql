-- The resolver reads columns of <table>
-- Afterwards app.resolve_principal() reads these columns before a context is open. Nobody can log in as its owner, app_resolver.
-- Needs: 0003_audit. Proved by: tests/mcp_server/test_operations.py, tests/isolation.

CREATE POLICY resolver_lookup ON <table>
    FOR SELECT
    TO app_resolver
    USING (true);
GRANT SELECT (<columns>) ON <table> TO app_resolver;

INSERT INTO app.declared_grants (object, role_name, privileges, reason)
SELECT t.name, 'app_resolver', ARRAY(SELECT format('SELECT (%I)', name) FROM unnest(ARRAY[<column_names>]) AS name),
       'app.resolve_principal() reads them before a context is open.'
FROM app.tenanted_tables AS t
WHERE t.oid = <table_name>::regclass;

INSERT INTO app.declared_exceptions (rule, object, reason)
SELECT 'policy-extra', t.name || '.resolver_lookup FOR SELECT TO app_resolver USING (true)',
       'app.resolve_principal() reads it before a context is open; nobody can log in as app_resolver.'
FROM app.tenanted_tables AS t
WHERE t.oid = <table_name>::regclass;

