-- 0001 sign-in: who reaches the tables of the authorization server
-- Afterwards the platform keeps clients and consents; the serving role has no right on either.
-- Needs: 0003_audit. Proved by: tests/mcp_server/sign_in.

GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_sign_in_client, mcp_sign_in_consent TO app_platform;

INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('public.mcp_sign_in_client', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}', 'Shared: a client registers before a tenant is known.'),
    ('public.mcp_sign_in_consent', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}', 'Shared: a code is exchanged before a tenant is known.');
