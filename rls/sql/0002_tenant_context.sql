-- 0002 tenant context: the functions that the policies call
-- Afterwards a statement on a tenanted table without a tenant context fails with a named error, and migrations see the
-- rows they change. app.require_platform() asks for a record that another transaction has committed and that has no
-- outcome yet, so that neither a rollback nor a crash takes along who worked across tenants.
-- Run it again to mend a function that was replaced.
-- Needs: 0000_roles. Proved by: tests/isolation/test_no_context.py, tests/rls/test_platform.py.

CREATE OR REPLACE FUNCTION app.no_tenant() RETURNS uuid
    -- STABLE and PARALLEL SAFE keep plans as good as a plain comparison; an IMMUTABLE one would be folded into the plan.
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION 'no tenant context is open'
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'In Python: with rls.tenant_context(tenant_id). In psql: SET app.current_tenant = ''<tenant id>''.';
END
$function$;
COMMENT ON FUNCTION app.no_tenant() IS 'Raises: a forgotten tenant context is an error, never an empty or a full result.';

CREATE OR REPLACE FUNCTION app.tenant_or_null() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
AS $function$ SELECT NULLIF(current_setting('app.current_tenant', true), '')::uuid $function$;
COMMENT ON FUNCTION app.tenant_or_null() IS 'The tenant of this statement. PostgreSQL leaves a custom variable as an empty string after a transaction: that is none.';

CREATE OR REPLACE FUNCTION app.require_migrating() RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF current_setting('app.migrating', true) = 'on' THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'the owner sees tenants'' rows only while it migrates'
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Use manage.py migrate; in psql: SET app.migrating = ''on''.';
END
$function$;
COMMENT ON FUNCTION app.require_migrating() IS 'Raises unless app.migrating is on, so that a dump or a script of the owner is never silently empty.';

CREATE OR REPLACE FUNCTION app.open_platform(actor text, reason text, origin text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    record_id bigint;
BEGIN
    INSERT INTO app.platform_audit (actor, reason, origin)
    VALUES (open_platform.actor, open_platform.reason, open_platform.origin)
    RETURNING id INTO record_id;
    RETURN record_id;
END
$function$;
COMMENT ON FUNCTION app.open_platform(text, text, text) IS 'Writes the record that app.require_platform() asks for, and returns its id. Commit it before the work begins.';

CREATE OR REPLACE FUNCTION app.require_platform() RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- A record of this transaction would be rolled back with it.
    IF EXISTS (SELECT FROM app.platform_audit AS a
               WHERE a.id = NULLIF(current_setting('app.platform_audit_id', true), '')::bigint
                 AND a.role_name = session_user
                 AND a.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
                 AND NOT EXISTS (SELECT FROM app.platform_outcome AS o WHERE o.id = a.id)) THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'no platform context is open'
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'In Python: with rls.platform_context(actor=..., reason=...). In psql: SELECT app.open_platform(''<who>'', ''<why>'', ''psql''); then, in another transaction, SET app.platform_audit_id = ''<the id it returned>''.';
END
$function$;
COMMENT ON FUNCTION app.require_platform() IS 'Raises unless app.platform_audit_id is a record of app.open_platform(), committed before, of platform work that has not ended.';

CREATE OR REPLACE FUNCTION app.uuid7() RETURNS uuid
    -- RFC 9562 5.7: 48 bits of Unix milliseconds, the version, the variant, the rest random.
    LANGUAGE sql VOLATILE PARALLEL SAFE
AS $function$
    SELECT encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6),
            52, 1), 53, 1), 'hex')::uuid
$function$;
COMMENT ON FUNCTION app.uuid7() IS 'A UUID version 7: keys of new rows lie side by side in the index.';

GRANT EXECUTE ON FUNCTION app.no_tenant(), app.tenant_or_null(), app.uuid7() TO app_tenant, app_platform;
GRANT EXECUTE ON FUNCTION app.require_platform(), app.open_platform(text, text, text) TO app_platform;
