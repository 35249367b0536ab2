-- 0002 watched tenants: a change is announced where somebody watches its tenant, and costs no commit elsewhere
-- Afterwards app.notify_change() sends nothing for a tenant that nobody watches: PostgreSQL lets one transaction that
-- notifies commit at a time in the whole cluster. Who listens says so by app.watch_tenants(), for as long as its connection
-- lasts, and waits by app.await_writers() for those who have not seen it. Functions of app_platform alone.
-- Needs: 0001_change_notifications, and 0001_superuser as it is now, where that was run. Proved by:
-- tests/mcp_server/test_watched_tenants.py, tests/mcp_server/test_operations.py, tests/isolation/test_hostile_sql.py.

-- Note [Nobody watches]
-- Locks of the cluster, in two keys (PostgreSQL, 13.3.5). (1296257111, hash of a tenant's id): held, shared, by each session
-- that watches the tenant; (1296257112, 0): by each that watches anybody. A trigger finds out whether one is held by trying to
-- take it alone, and lets go in the same expression, where nothing can interrupt it. Two that try at once may each find the
-- other: then a message is sent that nobody needs.
-- (1296257112, 1): a transaction that may leave a message out holds it, shared, until it ends. Who begins to watch
-- holds his locks first, and then waits until he has had this one alone. So whoever left a message out before that has ended,
-- and its rows can be read; whoever asks after it finds that the tenant is watched. Who can't have it, because somebody
-- waits for it, sends. These are locks and no rows, so it does not matter which snapshot a transaction reads with.

DO $rights$
BEGIN
    IF NOT has_function_privilege('app_resolver', 'pg_catalog.pg_try_advisory_lock(int, int)', 'EXECUTE')
       OR NOT has_function_privilege('app_resolver', 'pg_catalog.pg_try_advisory_lock_shared(int, int)', 'EXECUTE') THEN
        RAISE EXCEPTION 'app_resolver may not take the locks that say who watches'
            USING HINT = 'Run rls/sql/0001_superuser.sql again, as a superuser.';
    END IF;
END
$rights$;

-- app_resolver may make no function, and app_owner may not replace one of app_resolver's: the triggers go over to a new one.
GRANT CREATE ON SCHEMA app TO app_resolver;  -- for the moment of the change only
SET LOCAL ROLE app_resolver;
ALTER FUNCTION app.notify_change() RENAME TO notify_change_before;
RESET ROLE;

CREATE FUNCTION app.notify_change() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER  -- pg_notify is not for who serves
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    may_leave_out boolean := pg_try_advisory_xact_lock_shared(1296257112, 1);
    own integer;
BEGIN
    -- See Note [Nobody watches]. Neither question reads the changed rows, which would take longer than all else.
    IF may_leave_out AND (CASE WHEN pg_try_advisory_lock(1296257112, 0) THEN pg_advisory_unlock(1296257112, 0) END) THEN
        RETURN NULL;
    END IF;
    -- By the policies app_tenant writes rows of its own tenant alone. Without one `own` is NULL, and so is the answer.
    own := uuid_hash(NULLIF(current_setting('app.current_tenant', true), '')::uuid);
    IF may_leave_out
       AND session_user = 'app_tenant'
       AND (CASE WHEN pg_try_advisory_lock(1296257111, own) THEN pg_advisory_unlock(1296257111, own) END) THEN
        RETURN NULL;
    END IF;

    -- The arguments of the trigger name two columns of its table: that of the tenant, and the key.
    IF TG_ARGV[0] = 'tenant_id' AND TG_ARGV[1] = 'id' THEN
        PERFORM pg_notify(
            'tenant_changes',
            format('%s %s %s', tenant_id, TG_TABLE_NAME, CASE WHEN count(*) > 100 THEN '*' ELSE string_agg(id::text, ',') END)
        )
        FROM changed
        GROUP BY tenant_id
        HAVING CASE
                   WHEN may_leave_out AND pg_try_advisory_lock(1296257111, uuid_hash(tenant_id))
                   THEN NOT pg_advisory_unlock(1296257111, uuid_hash(tenant_id))
                   ELSE true
               END;
    ELSE  -- the same for other names, planned anew each time, which takes 0.2 ms
        EXECUTE format(
            'SELECT pg_notify(''tenant_changes'', format(''%%s %%s %%s'', %1$I, $1, CASE WHEN count(*) > 100 THEN ''*'' ELSE string_agg(%2$I::text, '','') END))
             FROM changed
             GROUP BY %1$I
             HAVING CASE
                        WHEN $2 AND pg_try_advisory_lock(1296257111, uuid_hash(%1$I))
                        THEN NOT pg_advisory_unlock(1296257111, uuid_hash(%1$I))
                        ELSE true
                    END',
            TG_ARGV[0],
            TG_ARGV[1]
        ) USING TG_TABLE_NAME, may_leave_out;
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION app.notify_change() IS
    'Sends the ids of the rows that a statement has changed to the channel tenant_changes, where somebody watches their tenant.';

CREATE FUNCTION app.watch_tenants(tenant_ids uuid[]) RETURNS SETOF uuid
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $function$
    -- A trigger may try a lock at this moment, so one that can't be had is asked for again.
    SELECT wanted.id
    FROM unnest(tenant_ids) AS wanted (id)
    WHERE CASE
              WHEN NOT pg_try_advisory_lock_shared(1296257112, 0) THEN false
              WHEN pg_try_advisory_lock_shared(1296257111, uuid_hash(wanted.id)) THEN true
              ELSE NOT pg_advisory_unlock_shared(1296257112, 0)
          END
$function$;
COMMENT ON FUNCTION app.watch_tenants(uuid[]) IS
    'From now on, until the session ends, changes of these tenants are announced: of those that it returns. Ask again for the others.';

CREATE FUNCTION app.unwatch_tenants(tenant_ids uuid[]) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pg_advisory_unlock_shared(1296257111, uuid_hash(unwanted.id)), pg_advisory_unlock_shared(1296257112, 0)
    FROM unnest(tenant_ids) AS unwanted (id)
$function$;
COMMENT ON FUNCTION app.unwatch_tenants(uuid[]) IS 'Takes back app.watch_tenants(), which had returned them.';

CREATE FUNCTION app.await_writers() RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '200ms'  -- meanwhile the session hears nothing, and everybody else announces everything
AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock(1296257112, 1);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$function$;
COMMENT ON FUNCTION app.await_writers() IS
    'Whether every transaction has ended that did not know of what app.watch_tenants() said before. Ask again where it has not; call it alone.';

ALTER FUNCTION app.notify_change() OWNER TO app_resolver;
ALTER FUNCTION app.watch_tenants(uuid[]) OWNER TO app_resolver;
ALTER FUNCTION app.unwatch_tenants(uuid[]) OWNER TO app_resolver;
ALTER FUNCTION app.await_writers() OWNER TO app_resolver;
REVOKE CREATE ON SCHEMA app FROM app_resolver;
SET LOCAL ROLE app_resolver;
REVOKE ALL ON FUNCTION app.notify_change(), app.watch_tenants(uuid[]), app.unwatch_tenants(uuid[]), app.await_writers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.notify_change() TO app_owner;  -- whoever makes a trigger needs it
GRANT EXECUTE ON FUNCTION app.watch_tenants(uuid[]), app.unwatch_tenants(uuid[]), app.await_writers() TO app_platform;
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

DELETE FROM app.declared_exceptions WHERE object ^@ 'app.notify_change(';
INSERT INTO app.declared_exceptions (rule, object, reason)
SELECT 'definer-callable',
       format('%s as %s, md5 %s, set %s', p.oid::regprocedure, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid), p.probin)), array_to_string(p.proconfig, ', ')),
       f.reason
FROM (VALUES
    ('app.notify_change()'::regprocedure, 'Triggers run it, nobody can call it: it sends ids of the rows that were changed, and reads nothing else.'),
    ('app.watch_tenants(uuid[])', 'app_platform says whose changes it wants to hear of: it takes locks, and reads nothing.'),
    ('app.unwatch_tenants(uuid[])', 'app_platform takes that back: it lets go of locks, and reads nothing.'),
    ('app.await_writers()', 'app_platform waits for transactions that did not know that it listens: it takes a lock, and reads nothing.')
) AS f (oid, reason)
JOIN pg_catalog.pg_proc AS p ON p.oid = f.oid;

-- What the triggers that are there already were declared with has another digest now.
UPDATE app.declared_exceptions AS d
SET object = format('%s.%I calls %s as %s, md5 %s', t.name, g.tgname, g.tgfoid::regproc, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, p.probin)))
FROM pg_catalog.pg_trigger AS g
JOIN app.tenanted_tables AS t ON t.oid = g.tgrelid
JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
WHERE p.oid = 'app.notify_change()'::regprocedure
  AND d.rule = 'trigger-undeclared'
  AND d.object ^@ format('%s.%I calls app.notify_change ', t.name, g.tgname);
