-- Reverts the resolver: no token is accepted any more, and nothing reads a tenant without a context.
DO $lookups$
DECLARE
    lookup record;
BEGIN
    FOR lookup IN
        SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_catalog.pg_policies WHERE policyname = 'resolver_lookup'
    LOOP
        EXECUTE format('DROP POLICY resolver_lookup ON %s', lookup.name);
        EXECUTE format('REVOKE ALL ON %s FROM app_resolver', lookup.name);
        DELETE FROM app.declared_grants WHERE object = lookup.name AND role_name = 'app_resolver';
        DELETE FROM app.declared_exceptions WHERE object ^@ (lookup.name || '.resolver_lookup ');
    END LOOP;
    FOR lookup IN
        SELECT object AS name FROM app.declared_grants
        WHERE role_name = 'app_resolver' AND reason = 'Shared: app.resolve_principal() reads whose token it is.'
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM app_resolver', lookup.name);
        DELETE FROM app.declared_grants WHERE object = lookup.name AND role_name = 'app_resolver';
    END LOOP;
END
$lookups$;
DELETE FROM app.declared_exceptions WHERE object ^@ 'app.resolve_principal(';
SET LOCAL ROLE app_resolver;
DROP FUNCTION IF EXISTS app.resolve_principal(text, bytea);
RESET ROLE;
