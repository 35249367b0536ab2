-- 0001 tokens: tenant isolation of the tokens
-- Afterwards tokens are managed by the platform and checked by app.resolve_principal(); the serving role reads none.
-- Needs: 0003_audit. Proved by: tests/isolation, tests/mcp_server/tokens.

ALTER TABLE mcp_tokens_apitoken
    ENABLE ROW LEVEL SECURITY,
    FORCE ROW LEVEL SECURITY;  -- binds the owner too

CREATE POLICY tenant_isolation ON mcp_tokens_apitoken
    TO app_tenant
    -- The sub-select is evaluated once per statement; no_tenant() raises, so a forgotten context is loud.
    USING (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())))
    WITH CHECK (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())));

CREATE POLICY platform_access ON mcp_tokens_apitoken
    TO app_platform
    USING ((SELECT app.require_platform()))
    WITH CHECK ((SELECT app.require_platform()));

CREATE POLICY owner_migration ON mcp_tokens_apitoken
    TO app_owner
    -- Inside a tenant context a data migration is scoped; outside it sees every row.
    USING ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id))
    WITH CHECK ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id));

-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.
ALTER TABLE mcp_tokens_apitoken ADD CONSTRAINT mcp_tokens_apitoken_tenant_key UNIQUE (tenant_id, id);

CREATE POLICY token_lookup ON mcp_tokens_apitoken
    FOR SELECT
    TO app_resolver
    USING (true);

CREATE POLICY token_use ON mcp_tokens_apitoken
    FOR UPDATE
    TO app_resolver
    USING (true);

-- app_tenant has no right at all: a statement injected into a tool can't read a digest.
GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_tokens_apitoken, mcp_tokens_platformtoken TO app_platform;
GRANT SELECT, UPDATE (last_used_at) ON mcp_tokens_apitoken, mcp_tokens_platformtoken TO app_resolver;

INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('public.mcp_tokens_apitoken', 'app_tenant', '{}', 'A statement injected into a tool must not read a digest, not even of its own tenant.'),
    ('public.mcp_tokens_apitoken', 'app_resolver', '{SELECT,UPDATE (last_used_at)}', 'app.resolve_principal() checks a token and notes its use.'),
    ('public.mcp_tokens_platformtoken', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}', 'Shared: tokens of the platform belong to no tenant.'),
    ('public.mcp_tokens_platformtoken', 'app_resolver', '{SELECT,UPDATE (last_used_at)}', 'app.resolve_principal() checks a token and notes its use.');

INSERT INTO app.declared_exceptions (rule, object, reason) VALUES
    ('policy-extra', 'public.mcp_tokens_apitoken.token_lookup FOR SELECT TO app_resolver USING (true)',
     'app.resolve_principal() checks a token before a context is open; nobody can log in as app_resolver.'),
    ('policy-extra', 'public.mcp_tokens_apitoken.token_use FOR UPDATE TO app_resolver USING (true)',
     'app.resolve_principal() notes when a token was used.');
