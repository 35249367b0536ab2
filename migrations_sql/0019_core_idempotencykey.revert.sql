-- Reverts 0019 core_idempotencykey: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE core_idempotencykey DROP CONSTRAINT core_idempotencykey_tenant_key;
REVOKE ALL ON core_idempotencykey FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_idempotencykey;
DROP POLICY platform_access ON core_idempotencykey;
DROP POLICY tenant_isolation ON core_idempotencykey;
