-- Reverts 0014 core_order_customer_id: the keys are gone.
ALTER TABLE core_order DROP CONSTRAINT core_order_customer_id_tenant_fkey;
