-- 0004 helpdesk_comment: tenant isolation
-- Afterwards a row is visible and writable only inside its own tenant, and what it refers to is of that tenant.
-- Needs: 0002_helpdesk_agent, 0003_helpdesk_ticket. Proved by: manage.py rls audit.

ALTER TABLE helpdesk_comment
    ENABLE ROW LEVEL SECURITY,
    FORCE ROW LEVEL SECURITY;  -- binds the owner too

CREATE POLICY tenant_isolation ON helpdesk_comment
    TO app_tenant
    -- The sub-select is evaluated once per statement; no_tenant() raises, so a forgotten context is loud.
    USING (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())))
    WITH CHECK (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())));

CREATE POLICY platform_access ON helpdesk_comment
    TO app_platform
    USING ((SELECT app.require_platform()))
    WITH CHECK ((SELECT app.require_platform()));

CREATE POLICY owner_migration ON helpdesk_comment
    TO app_owner
    -- Inside a tenant context a data migration is scoped; outside it sees every row.
    USING ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id))
    WITH CHECK ((SELECT app.require_migrating()) AND tenant_id = COALESCE((SELECT app.tenant_or_null()), tenant_id));

-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.
ALTER TABLE helpdesk_comment ADD CONSTRAINT helpdesk_comment_tenant_key UNIQUE (tenant_id, id);

ALTER TABLE helpdesk_comment ADD CONSTRAINT helpdesk_comment_ticket_id_tenant_fkey
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES helpdesk_ticket (tenant_id, id);

ALTER TABLE helpdesk_comment ADD CONSTRAINT helpdesk_comment_agent_id_tenant_fkey
    FOREIGN KEY (tenant_id, agent_id) REFERENCES helpdesk_agent (tenant_id, id);

GRANT SELECT, INSERT, UPDATE, DELETE ON helpdesk_comment TO app_tenant, app_platform;
