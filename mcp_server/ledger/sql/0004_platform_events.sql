-- 0004 platform events: what the platform does for a tenant stands among the tenant's own audit events
-- Afterwards app_platform may write an audit event of any tenant. Once written it is changed by nobody, as before.
-- Needs: 0001_ledger. Proved by: tests/core/test_members.py.
GRANT INSERT ON mcp_ledger_auditevent TO app_platform;

UPDATE app.declared_grants
SET privileges = '{SELECT,INSERT,DELETE}',
    reason = 'A tenant''s facts go with the tenant, and are changed by nobody; what the platform does for a tenant is one of them.'
WHERE object = 'public.mcp_ledger_auditevent' AND role_name = 'app_platform';
