-- 0001 change notifications: what a trigger calls to tell which rows have changed
-- Afterwards app.notify_change() is there for the triggers that the operation Announce makes. Each of their statements sends,
-- when it commits, one message for each tenant to the channel tenant_changes: "<tenant id> <table> <id>,<id>,...", or
-- "<tenant id> <table> *" where more than 100 rows have changed. Ids only: a role that may connect may LISTEN. A statement of a
-- serving role can't send one itself where 0001_superuser was run; elsewhere a message that it made up causes a needless look,
-- because nothing but ids that are watched already is taken from it.
-- Needs: 0003_audit. Proved by: tests/mcp_server/test_operations.py, tests/isolation/test_hostile_sql.py.

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

-- It may call pg_notify and nothing that matters else. A new owner needs CREATE for the moment of the change only.
GRANT CREATE ON SCHEMA app TO app_resolver;
ALTER FUNCTION app.notify_change() OWNER TO app_resolver;
REVOKE CREATE ON SCHEMA app FROM app_resolver;
SET LOCAL ROLE app_resolver;
REVOKE ALL ON FUNCTION app.notify_change() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.notify_change() TO app_owner;  -- whoever makes a trigger needs it
RESET ROLE;

INSERT INTO app.declared_exceptions (rule, object, reason)
SELECT 'definer-callable',
       format('%s as %s, md5 %s, set %s', p.oid::regprocedure, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid), p.probin)), array_to_string(p.proconfig, ', ')),
       'Triggers run it, nobody can call it: it sends ids of the rows that were changed, and reads nothing else.'
FROM pg_catalog.pg_proc AS p
WHERE p.oid = 'app.notify_change()'::regprocedure;
