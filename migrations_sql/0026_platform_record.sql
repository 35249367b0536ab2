-- 0026 platform record: who opens a platform context is on record before the work
-- Afterwards app.require_platform() asks for a record that another transaction has committed and that has no outcome yet,
-- so that neither a rollback nor a crash takes along who worked across tenants. Run it again to mend a function that was
-- replaced.
-- Needs: 0024_platform_outcome. Proved by: tests/rls/test_platform.py.

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
