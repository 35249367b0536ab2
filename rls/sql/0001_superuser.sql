-- 0001 superuser: what a statement of the serving role may not reach in the catalog
-- Afterwards a statement that was injected into the serving role cannot switch the tenant, run procedural code, or see
-- other sessions; every table with a tenant_id is under row-level security from the moment it has one.
-- Needs: a superuser, connected to the application's database; 0000_roles. Run it again after a PostgreSQL upgrade or in
-- a second database: it changes nothing that is in place already. Where nobody is a superuser (managed PostgreSQL) all
-- else works without it, and the audit warns of each thing that this file would have shut.
-- Proved by: tests/isolation/test_hostile_sql.py, tests/rls/test_superuser.py.

DO $superuser$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION '% is no superuser', current_user
            USING HINT = 'Where nobody is one, leave this file out: the audit warns of what stays open.';
    END IF;
END
$superuser$;

-- The tenant is a variable, so nothing that sets a variable inside a statement may be called.
REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC, app_platform;
REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC;

-- DO runs procedural code, and with it SET, inside one statement. Functions that exist stay callable.
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
REVOKE USAGE ON LANGUAGE sql FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql, sql TO app_owner;

-- Functions that run a text as SQL.
DO $revoke$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN
        SELECT oid::regprocedure
        FROM pg_catalog.pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND (proname ~ '^(query|table|schema|database|cursor)_to_xml'
               OR proname IN ('ts_stat', 'ts_rewrite') AND prosrc IN ('ts_stat1', 'ts_stat2', 'tsquery_rewrite_query')
               -- Large objects have no rows, and so no policy.
               OR proname ~ '^lo_' OR proname IN ('loread', 'lowrite')
               -- Other sessions of the serving role are other tenants: their statements, and their lives.
               OR proname IN ('pg_terminate_backend', 'pg_cancel_backend', 'pg_lock_status', 'pg_notification_queue_usage')
               -- Statistics: other sessions, and how many rows all tenants write.
               OR proname ~ '^pg_stat_get_'
               -- How much all tenants write.
               OR proname ~ '^pg_(current_wal_|control_)' OR proname = 'pg_export_snapshot'
               -- Locks of a session outlive the request on a pooled connection; those of a transaction do not.
               OR proname ~ '^pg_(try_)?advisory_lock'
               -- It reads a table without its policies, and it writes into the log of all tenants.
               OR proname IN ('currtid2', 'pg_logical_emit_message')
               -- random() would go on from it for the next tenant on the connection.
               OR proname = 'setseed'
               -- A message that one tenant makes up would be heard as another's.
               OR proname = 'pg_notify')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', routine);
        IF routine::text ~ '^pg_(stat_get_|lock_status|current_wal_|control_)' THEN  -- monitoring keeps what it had (PostgreSQL 22.5)
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO pg_read_all_stats', routine);
        END IF;
    END LOOP;
END
$revoke$;
-- Whom the functions run as that announce changes, and say who watches.
GRANT EXECUTE ON FUNCTION
    pg_catalog.pg_notify(text, text), pg_catalog.pg_try_advisory_lock(int, int), pg_catalog.pg_try_advisory_lock_shared(int, int)
    TO app_resolver;
REVOKE SELECT ON pg_catalog.pg_stat_activity, pg_catalog.pg_locks FROM PUBLIC;
GRANT SELECT ON pg_catalog.pg_stat_activity, pg_catalog.pg_locks TO pg_read_all_stats;

CREATE OR REPLACE FUNCTION app.keep_row_security() RETURNS event_trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenanted regclass;
BEGIN
    FOR tenanted IN
        SELECT DISTINCT c.oid::regclass
        FROM pg_event_trigger_ddl_commands() AS d
        JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        WHERE c.relkind IN ('r', 'p')
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    LOOP
        -- Both in one command: this trigger fires for the ALTER too, and must find nothing left to do.
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenanted);
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION app.keep_row_security() FROM PUBLIC;
COMMENT ON FUNCTION app.keep_row_security() IS 'Every table with a tenant_id is under forced row-level security from the moment it has one.';

CREATE OR REPLACE FUNCTION app.refuse_ddl() RETURNS event_trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- DROP OWNED BY CURRENT_USER needs no right, and takes the policies that name the role with it.
    IF session_user IN ('app_tenant', 'app_platform', 'app_auditor') THEN
        RAISE EXCEPTION '% is refused: % defines nothing', tg_tag, session_user
            USING ERRCODE = 'insufficient_privilege', HINT = 'Use app_owner, in a migration.';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION app.refuse_ddl() FROM PUBLIC;
COMMENT ON FUNCTION app.refuse_ddl() IS 'The roles that serve, operate and audit define nothing, not even what needs no right.';

DROP EVENT TRIGGER IF EXISTS refuse_ddl;
CREATE EVENT TRIGGER refuse_ddl
    ON ddl_command_start
    EXECUTE FUNCTION app.refuse_ddl();

DROP EVENT TRIGGER IF EXISTS keep_row_security;
CREATE EVENT TRIGGER keep_row_security
    ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE')
    EXECUTE FUNCTION app.keep_row_security();
