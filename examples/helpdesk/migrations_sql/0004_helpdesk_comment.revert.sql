-- Reverts 0004 helpdesk_comment: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE helpdesk_comment DROP CONSTRAINT helpdesk_comment_agent_id_tenant_fkey;
ALTER TABLE helpdesk_comment DROP CONSTRAINT helpdesk_comment_ticket_id_tenant_fkey;
ALTER TABLE helpdesk_comment DROP CONSTRAINT helpdesk_comment_tenant_key;
REVOKE ALL ON helpdesk_comment FROM app_tenant, app_platform;
DROP POLICY owner_migration ON helpdesk_comment;
DROP POLICY platform_access ON helpdesk_comment;
DROP POLICY tenant_isolation ON helpdesk_comment;
