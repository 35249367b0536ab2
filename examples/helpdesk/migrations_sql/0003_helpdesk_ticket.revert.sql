-- Reverts 0003 helpdesk_ticket: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE helpdesk_ticket DROP CONSTRAINT helpdesk_ticket_tenant_key;
REVOKE ALL ON helpdesk_ticket FROM app_tenant, app_platform;
DROP POLICY owner_migration ON helpdesk_ticket;
DROP POLICY platform_access ON helpdesk_ticket;
DROP POLICY tenant_isolation ON helpdesk_ticket;
