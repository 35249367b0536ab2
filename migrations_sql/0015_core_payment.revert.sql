-- Reverts 0015 core_payment: no policy is left, so nobody but a superuser sees a row.
DELETE FROM app.declared_grants WHERE object = 'public.core_payment';
ALTER TABLE core_payment DROP CONSTRAINT core_payment_order_id_tenant_fkey;
ALTER TABLE core_payment DROP CONSTRAINT core_payment_tenant_key;
REVOKE ALL ON core_payment FROM app_tenant, app_platform;
DROP POLICY owner_migration ON core_payment;
DROP POLICY platform_access ON core_payment;
DROP POLICY tenant_isolation ON core_payment;
