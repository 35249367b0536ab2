-- 0000 roles: who may connect, and what PUBLIC may no longer do in this database
-- Afterwards four login roles exist, none of which bypasses row-level security, and the schema `app` is there.
-- Needs: the owner of the database, with CREATEROLE (the administrator of a managed server), or a superuser; PostgreSQL 15
-- or newer. Run it again in a second database of the cluster: it changes nothing that is in place already.
-- Passwords are not set here: ALTER ROLE ... PASSWORD, or \password in psql.
-- Proved by: tests/rls/test_superuser.py, tests/rls/test_managed.py.

DO $roles$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['app_owner', 'app_tenant', 'app_platform', 'app_auditor', 'app_resolver'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE format(
                'CREATE ROLE %I %s NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT %s',
                role_name,
                -- app_resolver only owns functions that answer before a context exists: nobody logs in as it.
                CASE role_name WHEN 'app_resolver' THEN 'NOLOGIN' ELSE 'LOGIN' END,
                -- Of the 100 that PostgreSQL has by default, so that a flood of requests leaves room for whoever ends it.
                CASE role_name WHEN 'app_tenant' THEN 65 WHEN 'app_platform' THEN 20 WHEN 'app_resolver' THEN 0 ELSE 5 END
            );
        ELSIF EXISTS (SELECT FROM pg_catalog.pg_roles
                      WHERE rolname = role_name AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication)) THEN
            RAISE EXCEPTION 'role % exists with rights it must not have', role_name
                USING HINT = format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION;', role_name);
        END IF;
        -- Django would call set_config() for the time zone, which 0001_superuser revokes.
        EXECUTE format('ALTER ROLE %I SET timezone = ''UTC''', role_name);
    END LOOP;

    -- Who is no superuser must be a member of a role to give it something.
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        GRANT app_owner TO CURRENT_USER;
    END IF;
END
$roles$;

-- The owner is NOINHERIT: it may hand a function over, and does not see what app_resolver's policies show.
GRANT app_resolver TO app_owner;

ALTER ROLE app_tenant SET statement_timeout = '30s';
ALTER ROLE app_tenant SET lock_timeout = '5s';
ALTER ROLE app_tenant SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE app_platform SET statement_timeout = '10min';
ALTER ROLE app_platform SET lock_timeout = '5s';
ALTER ROLE app_platform SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE app_auditor SET default_transaction_read_only = on;

DO $database$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO app_owner, app_tenant, app_platform, app_auditor', current_database());

    -- A new owner of a schema needs CREATE, for the moment of the change only.
    EXECUTE format('GRANT CREATE ON DATABASE %I TO app_owner', current_database());
    ALTER SCHEMA public OWNER TO app_owner;
    CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION app_owner;
    EXECUTE format('REVOKE CREATE ON DATABASE %I FROM app_owner', current_database());
END
$database$;

SET ROLE app_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public, app TO app_tenant, app_platform, app_auditor, app_resolver;
-- Functions of the owner are callable by whom a file names, not by everybody.
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
COMMENT ON SCHEMA app IS 'What row-level security stands on: the functions behind the policies, the audit.';
RESET ROLE;
