-- 0014 core_order_customer_id: keys that hold the tenant
-- Afterwards what a row refers to is of its own tenant.
-- Needs: 0013_core_customer. Proved by: manage.py rls audit.

ALTER TABLE core_order ADD CONSTRAINT core_order_customer_id_tenant_fkey
    FOREIGN KEY (tenant_id, customer_id) REFERENCES core_customer (tenant_id, id);
