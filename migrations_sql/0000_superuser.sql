-- 0000 superuser: roles, database, and what PUBLIC may no longer do
-- Afterwards four login roles exist, none of which bypasses row-level security, and a statement that was
-- injected into the serving role cannot switch the tenant, run procedural code, or see other sessions.
-- Needs: a superuser, connected to the application's database; PostgreSQL 15 or newer. Run it again after a
-- PostgreSQL upgrade or in a second database of the cluster: it changes nothing that is in place already.
-- Passwords are not set here: ALTER ROLE ... PASSWORD, or \password in psql.
-- Proved by: tests/isolation/test_hostile_sql.py, tests/rls/test_superuser.py.

DO $roles$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['app_owner', 'app_tenant', 'app_platform', 'app_auditor', 'app_resolver'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION', role_name);
        ELSIF EXISTS (SELECT FROM pg_catalog.pg_roles
                      WHERE rolname = role_name AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication)) THEN
            RAISE EXCEPTION 'role % exists with rights it must not have', role_name
                USING HINT = format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION;', role_name);
        END IF;
        -- app_resolver only owns the function that finds a tenant before a context exists: nobody logs in as it.
        EXECUTE format('ALTER ROLE %I %s', role_name, CASE role_name WHEN 'app_resolver' THEN 'NOLOGIN' ELSE 'LOGIN' END);
        -- Django would call set_config() for the time zone, which is revoked below.
        EXECUTE format('ALTER ROLE %I SET timezone = ''UTC''', role_name);
    END LOOP;
END
$roles$;

-- The owner is NOINHERIT: it may hand the function over, and does not see what app_resolver's policies show.
GRANT app_resolver TO app_owner;

ALTER ROLE app_tenant SET statement_timeout = '30s';
ALTER ROLE app_tenant SET lock_timeout = '5s';
ALTER ROLE app_tenant SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE app_platform SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE app_auditor SET default_transaction_read_only = on;

DO $database$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO app_owner, app_tenant, app_platform, app_auditor', current_database());
END
$database$;

ALTER SCHEMA public OWNER TO app_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app_tenant, app_platform, app_auditor, app_resolver;

CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION app_owner;
GRANT USAGE ON SCHEMA app TO app_tenant, app_platform, app_auditor, app_resolver;
-- Functions of the owner are callable by whom a file names, not by everybody.
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
COMMENT ON SCHEMA app IS 'What row-level security stands on: the functions behind the policies, the audit.';

-- The tenant is a variable, so nothing that sets a variable inside a statement may be called.
REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;
REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO app_platform;

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
               OR proname IN ('pg_stat_get_activity', 'pg_terminate_backend', 'pg_cancel_backend', 'pg_lock_status',
                              'pg_notification_queue_usage')
               OR proname ~ '^pg_stat_get_backend_'
               -- Locks of a session outlive the request on a pooled connection; those of a transaction do not.
               OR proname ~ '^pg_(try_)?advisory_lock'
               -- It reads a table without its policies, and it writes into the log of all tenants.
               OR proname IN ('currtid2', 'pg_logical_emit_message'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', routine);
    END LOOP;
END
$revoke$;
REVOKE SELECT ON pg_catalog.pg_stat_activity, pg_catalog.pg_locks FROM PUBLIC;

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

DO $guard$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname = 'refuse_ddl') THEN
        CREATE EVENT TRIGGER refuse_ddl
            ON ddl_command_start
            EXECUTE FUNCTION app.refuse_ddl();
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname = 'keep_row_security') THEN
        CREATE EVENT TRIGGER keep_row_security
            ON ddl_command_end
            WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE')
            EXECUTE FUNCTION app.keep_row_security();
    END IF;
END
$guard$;
