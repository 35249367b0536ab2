-- 0023 change notifications: who listens on the channel tenant_changes hears which rows have changed
-- Afterwards each statement that changes products, orders, settings or a tenant sends, when it commits, one message for each tenant:
-- "<tenant id> <table> <id> <id> ...", or "<tenant id> <table> *" where more than 100 rows have changed. Ids only: a role that may
-- connect may LISTEN. A statement of a serving role can't send one itself where 0001_superuser was run; elsewhere a message that
-- it made up causes a needless look, because nothing but ids that are watched already is taken from it.
-- Needs: 0003_audit, 0004_core_tenant, 0006_core_product, 0007_core_order, 0012_core_tenantsettings.
-- Proved by: tests/core/test_change_notifications.py, tests/isolation/test_hostile_sql.py.

CREATE FUNCTION app.notify_change() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER  -- pg_notify is not for who serves
    SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF TG_TABLE_NAME = 'core_tenant' THEN
        PERFORM pg_notify('tenant_changes', format('%s %s %s', id, TG_TABLE_NAME, id)) FROM changed;
    ELSE
        PERFORM pg_notify(
            'tenant_changes',
            format('%s %s %s', tenant_id, TG_TABLE_NAME, CASE WHEN count(*) > 100 THEN '*' ELSE string_agg(id::text, ' ') END)
        )
        FROM changed
        GROUP BY tenant_id;
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION app.notify_change() IS 'Sends the ids of the rows that a statement has changed to the channel tenant_changes.';

-- A trigger with a transition table is for one kind of statement.
CREATE TRIGGER notify_insert AFTER INSERT ON core_product
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.notify_change();
CREATE TRIGGER notify_update AFTER UPDATE ON core_product
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.notify_change();
CREATE TRIGGER notify_delete AFTER DELETE ON core_product
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.notify_change();
CREATE TRIGGER notify_insert AFTER INSERT ON core_order
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.notify_change();
CREATE TRIGGER notify_update AFTER UPDATE ON core_order
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.notify_change();
CREATE TRIGGER notify_delete AFTER DELETE ON core_order
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.notify_change();
CREATE TRIGGER notify_insert AFTER INSERT ON core_tenantsettings
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.notify_change();
CREATE TRIGGER notify_update AFTER UPDATE ON core_tenantsettings
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.notify_change();
CREATE TRIGGER notify_update AFTER UPDATE ON core_tenant
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.notify_change();

-- It may call pg_notify and nothing that matters else. A new owner needs CREATE for the moment of the change only.
GRANT CREATE ON SCHEMA app TO app_resolver;
ALTER FUNCTION app.notify_change() OWNER TO app_resolver;
REVOKE CREATE ON SCHEMA app FROM app_resolver;
SET LOCAL ROLE app_resolver;
REVOKE ALL ON FUNCTION app.notify_change() FROM PUBLIC;
RESET ROLE;

INSERT INTO app.declared_exceptions (rule, object, reason)
SELECT 'definer-callable',
       format('%s as %s, md5 %s, set %s', p.oid::regprocedure, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid), p.probin)), array_to_string(p.proconfig, ', ')),
       'Triggers run it, nobody can call it: it sends ids of the rows that were changed, and reads nothing else.'
FROM pg_catalog.pg_proc AS p
WHERE p.oid = 'app.notify_change()'::regprocedure
UNION ALL
SELECT 'trigger-undeclared',
       format('%s.%I calls %s as %s, md5 %s', t.name, g.tgname, g.tgfoid::regproc, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, p.probin))),
       'After the statement, which it can''t change: it sends the ids of the changed rows to whoever watches them.'
FROM pg_catalog.pg_trigger AS g
JOIN app.tenanted_tables AS t ON t.oid = g.tgrelid
JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
WHERE g.tgfoid = 'app.notify_change()'::regprocedure;
