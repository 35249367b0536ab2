-- Reverts 0026 platform record: the record is again a row of the work's own transaction.
CREATE OR REPLACE FUNCTION app.open_platform(actor text, reason text, origin text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    audit_id bigint;
BEGIN
    INSERT INTO app.platform_audit (actor, reason, origin)
    VALUES (open_platform.actor, open_platform.reason, open_platform.origin)
    RETURNING id INTO audit_id;
    -- Ends with the transaction, as the right to work does.
    PERFORM set_config('app.platform_audit_id', audit_id::text, true);
    RETURN audit_id;
END
$function$;

CREATE OR REPLACE FUNCTION app.require_platform() RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- The variable alone opens nothing: the row must be of this transaction.
    IF EXISTS (SELECT FROM app.platform_audit AS a
               WHERE a.id = NULLIF(current_setting('app.platform_audit_id', true), '')::bigint
                 AND a.xid = pg_current_xact_id_if_assigned()) THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'no platform context is open'
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'In Python: with rls.platform_context(actor=..., reason=...). In psql: BEGIN; SELECT app.open_platform(''<who>'', ''<why>'', ''psql'').';
END
$function$;
