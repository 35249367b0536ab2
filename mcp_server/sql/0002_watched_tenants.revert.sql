-- Reverts 0002 watched tenants: each change is announced, whether somebody watches or not.
-- app_resolver may make no function, and app_owner may not replace one of app_resolver's: the triggers go over to a new one.
GRANT CREATE ON SCHEMA app TO app_resolver;  -- for the moment of the change only
SET LOCAL ROLE app_resolver;
ALTER FUNCTION app.notify_change() RENAME TO notify_change_before;
DROP FUNCTION app.watch_tenants(uuid[]), app.unwatch_tenants(uuid[]), app.await_writers();
RESET ROLE;

CREATE FUNCTION app.notify_change() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER  -- pg_notify is not for who serves
    SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- The arguments of the trigger name two columns of its table: that of the tenant, and the key.
    IF TG_ARGV[0] = 'tenant_id' AND TG_ARGV[1] = 'id' THEN
        PERFORM pg_notify(
            'tenant_changes',
            format('%s %s %s', tenant_id, TG_TABLE_NAME, CASE WHEN count(*) > 100 THEN '*' ELSE string_agg(id::text, ',') END)
        )
        FROM changed
        GROUP BY tenant_id;
    ELSE  -- the same for other names, planned anew each time, which takes 0.2 ms
        EXECUTE format(
            'SELECT pg_notify(''tenant_changes'', format(''%%s %%s %%s'', %1$I, $1, CASE WHEN count(*) > 100 THEN ''*'' ELSE string_agg(%2$I::text, '','') END))
             FROM changed
             GROUP BY %1$I',
            TG_ARGV[0],
            TG_ARGV[1]
        ) USING TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION app.notify_change() IS 'Sends the ids of the rows that a statement has changed to the channel tenant_changes.';
ALTER FUNCTION app.notify_change() OWNER TO app_resolver;
REVOKE CREATE ON SCHEMA app FROM app_resolver;
SET LOCAL ROLE app_resolver;
REVOKE ALL ON FUNCTION app.notify_change() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.notify_change() TO app_owner;  -- whoever makes a trigger needs it
RESET ROLE;

DO $triggers$
DECLARE
    definition text;
BEGIN
    FOR definition IN
        SELECT pg_get_triggerdef(oid) FROM pg_catalog.pg_trigger WHERE tgfoid = 'app.notify_change_before()'::regprocedure
    LOOP
        EXECUTE replace(
            replace(definition, 'CREATE TRIGGER ', 'CREATE OR REPLACE TRIGGER '), 'app.notify_change_before(', 'app.notify_change('
        );
    END LOOP;
END
$triggers$;
SET LOCAL ROLE app_resolver;
DROP FUNCTION app.notify_change_before();
RESET ROLE;

DELETE FROM app.declared_exceptions
WHERE object ^@ 'app.notify_change(' OR object ^@ 'app.watch_tenants(' OR object ^@ 'app.unwatch_tenants(' OR object ^@ 'app.await_writers(';
INSERT INTO app.declared_exceptions (rule, object, reason)
SELECT 'definer-callable',
       format('%s as %s, md5 %s, set %s', p.oid::regprocedure, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid), p.probin)), array_to_string(p.proconfig, ', ')),
       'Triggers run it, nobody can call it: it sends ids of the rows that were changed, and reads nothing else.'
FROM pg_catalog.pg_proc AS p
WHERE p.oid = 'app.notify_change()'::regprocedure;

-- What the triggers that are there already were declared with has another digest now.
UPDATE app.declared_exceptions AS d
SET object = format('%s.%I calls %s as %s, md5 %s', t.name, g.tgname, g.tgfoid::regproc, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, p.probin)))
FROM pg_catalog.pg_trigger AS g
JOIN app.tenanted_tables AS t ON t.oid = g.tgrelid
JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
WHERE p.oid = 'app.notify_change()'::regprocedure
  AND d.rule = 'trigger-undeclared'
  AND d.object ^@ format('%s.%I calls app.notify_change ', t.name, g.tgname);
