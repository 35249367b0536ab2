-- Reverts 0004 platform events.
UPDATE app.declared_grants
SET privileges = '{SELECT,DELETE}',
    reason = 'A tenant''s facts go with the tenant, and are changed by nobody.'
WHERE object = 'public.mcp_ledger_auditevent' AND role_name = 'app_platform';
REVOKE INSERT ON mcp_ledger_auditevent FROM app_platform;
