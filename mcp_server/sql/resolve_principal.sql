-- The resolver: who is calling, asked before a tenant context exists
-- Afterwards one function answers for a token at a tenant's URL; nothing else reads a tenant without a context.
-- Needs: mcp_server.tokens. Proved by: tests/mcp_server/tokens, tests/mcp_server/test_operations.py, tests/isolation/test_hostile_sql.py.

CREATE FUNCTION app.resolve_principal(wanted_slug text, token_digest bytea)
    RETURNS TABLE (name text, tenant_id uuid, slug text, locale text, time_zone text, token_id uuid, scopes text[], tools text[], is_read_only boolean, person text, role text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    ROWS 1
    SET search_path = pg_catalog, pg_temp
    SET row_security = on  -- the backend switches it off where no context is open
AS $function$
#variable_conflict use_column
BEGIN
    -- Inside a tenant context there is nothing left to resolve, and an injected call learns nothing of another tenant.
    IF NULLIF(current_setting('app.current_tenant', true), '') IS NOT NULL THEN
        RAISE EXCEPTION 'a principal is resolved before a tenant context is open'
            USING ERRCODE = 'insufficient_privilege';
    END IF;

    IF wanted_slug IS NULL THEN
        RETURN QUERY
            SELECT t.name::text, NULL::uuid, ''::text, ''::text, ''::text, t.id, t.scopes::text[], <tools>, <is_read_only>,
                   ''::text, NULL::text
            FROM <platform_tokens> AS t
            WHERE t.digest = token_digest
              AND t.revoked_at IS NULL
              AND (t.expires_at IS NULL OR t.expires_at > now());
        -- To the minute: a write for each call would cost more than the call.
        IF FOUND THEN
            UPDATE <platform_tokens> AS t
                SET last_used_at = now()
                WHERE t.digest = token_digest AND (t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute');
        END IF;
    ELSIF token_digest IS NULL THEN
        RETURN QUERY
            SELECT 'public'::text, n.<key>, n.<slug>::text, <locale>::text, <time_zone>::text, NULL::uuid, '{}'::text[],
                   NULL::text[], false, ''::text, NULL::text
            FROM <tenants> AS n
            WHERE n.<slug> = wanted_slug AND n.<active>;
    ELSE
        RETURN QUERY
            SELECT t.name::text, n.<key>, n.<slug>::text, <locale>::text, <time_zone>::text, t.id, t.scopes::text[],
                   <tools>, <is_read_only>, <person>, <role>
            FROM <tenants> AS n
            JOIN <tokens> AS t ON t.tenant_id = n.<key><members>
            WHERE n.<slug> = wanted_slug
              AND n.<active>
              AND <is_good_for_its_member>
              AND t.digest = token_digest
              AND t.revoked_at IS NULL
              AND (t.expires_at IS NULL OR t.expires_at > now());
        IF FOUND THEN
            UPDATE <tokens> AS t
                SET last_used_at = now()
                WHERE t.digest = token_digest AND (t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute');
        END IF;
    END IF;
END
$function$;
COMMENT ON FUNCTION app.resolve_principal(text, bytea) IS
    'The principal of a token at a tenant''s URL; without a URL, of a platform token; without a token, of an open endpoint. No row: refused, for whatever reason.';

-- A new owner needs CREATE for the moment of the change only.
GRANT CREATE ON SCHEMA app TO app_resolver;
ALTER FUNCTION app.resolve_principal(text, bytea) OWNER TO app_resolver;
REVOKE CREATE ON SCHEMA app FROM app_resolver;
SET LOCAL ROLE app_resolver;
REVOKE ALL ON FUNCTION app.resolve_principal(text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.resolve_principal(text, bytea) TO app_tenant, app_platform;
RESET ROLE;

INSERT INTO app.declared_exceptions (rule, object, reason)
SELECT 'definer-callable',
       format('%s as %s, md5 %s, set %s', p.oid::regprocedure, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid), p.probin)), array_to_string(p.proconfig, ', ')),
       'The one way in before a context is open: it answers for one token at one URL, and to nobody inside a context.'
FROM pg_catalog.pg_proc AS p
WHERE p.oid = 'app.resolve_principal(text, bytea)'::regprocedure;
