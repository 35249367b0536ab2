-- Reverts 0002 helpdesk_agent: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE helpdesk_agent DROP CONSTRAINT helpdesk_agent_tenant_key;
REVOKE ALL ON helpdesk_agent FROM app_tenant, app_platform;
DROP POLICY owner_migration ON helpdesk_agent;
DROP POLICY platform_access ON helpdesk_agent;
DROP POLICY tenant_isolation ON helpdesk_agent;
