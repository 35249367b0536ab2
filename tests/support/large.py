"""A hundred tenants with 10,000 products each, for what depends on size: plans and benchmarks."""

from __future__ import annotations

import psycopg

TENANTS = 100
PRODUCTS = 10_000
# One tenant has ten times the orders of the others.
ORDERS = 200
LARGEST = "tenant-7"
ORDERS_OF_THE_LARGEST = 2_000

TABLES = (
    "core_product",
    "core_productterm",
    "core_customer",
    "core_tenantuser",
    "core_order",
    "core_orderitem",
    "core_payment",
    "core_stockmovement",
    "mcp_ledger_auditevent",
)

# Rows of the tenants lie among each other, as they do where tenants work at the same time.
ROWS = f"""
INSERT INTO core_tenant (name, subdomain, is_active)
SELECT 'Tenant ' || n, 'tenant-' || n, true FROM generate_series(1, {TENANTS}) AS n;

INSERT INTO core_tenantsettings (tenant_id, locale, currency, time_zone, low_stock_threshold, max_discount_percent,
                                 max_order_minor, max_stock_change)
SELECT id, 'en', 'EUR', 'Asia/Taipei', 5, 10, 5000000, 1000 FROM core_tenant;

INSERT INTO core_tenantuser (id, tenant_id, username, email, role)
SELECT gen_random_uuid(), t.id, 'user-' || n, 'user-' || n || '@x.example', 'staff'
FROM core_tenant AS t CROSS JOIN generate_series(1, 100) AS n ORDER BY n;

INSERT INTO core_customer (id, tenant_id, email, name, phone)
SELECT gen_random_uuid(), t.id, 'customer-' || n || '@x.example', 'Customer ' || n, ''
FROM core_tenant AS t CROSS JOIN generate_series(1, 100) AS n ORDER BY n;

INSERT INTO core_product (id, tenant_id, created_at, sku, name, description, category, price_minor, currency, stock,
                          reorder_level, is_active)
SELECT gen_random_uuid(), t.id, now() - n * interval '1 hour', 'SKU' || n, 'Thing ' || n, '', 'category-' || n % 40,
       n * 10, 'EUR', n % 100, 5, n % 20 > 0
FROM core_tenant AS t CROSS JOIN generate_series(1, {PRODUCTS}) AS n ORDER BY n;

INSERT INTO core_productterm (id, tenant_id, product_id, term)
SELECT gen_random_uuid(), tenant_id, id, lower(sku) FROM core_product;

INSERT INTO core_order (id, tenant_id, created_at, number, status, customer_id, placed_by_id, currency, discount_minor,
                        total_minor, note, placed_at, cancelled_at)
SELECT gen_random_uuid(), t.id, at, n,
       (ARRAY['draft', 'cancelled', 'placed', 'paid', 'paid', 'paid', 'shipped', 'delivered'])[1 + n % 8],
       c.id, NULL, 'EUR', 0, 1000 + n % 97, '', CASE WHEN n % 8 > 0 THEN at END,
       CASE WHEN n % 8 = 1 THEN at + interval '1 day' END
FROM core_tenant AS t
CROSS JOIN LATERAL (SELECT CASE subdomain WHEN '{LARGEST}' THEN {ORDERS_OF_THE_LARGEST} ELSE {ORDERS} END) AS o (count)
CROSS JOIN generate_series(1, o.count) AS n
CROSS JOIN LATERAL (SELECT now() - n * interval '365 days' / o.count) AS placed (at)
JOIN core_customer AS c ON c.tenant_id = t.id AND c.email = 'customer-' || 1 + n % 100 || '@x.example'
ORDER BY at;

INSERT INTO core_orderitem (id, tenant_id, order_id, product_id, quantity, price_minor, currency)
SELECT gen_random_uuid(), o.tenant_id, o.id, p.id, 2, p.price_minor, 'EUR'
FROM core_order AS o
CROSS JOIN generate_series(0, 2) AS line
JOIN core_product AS p ON p.tenant_id = o.tenant_id AND p.sku = 'SKU' || 1 + (o.number * 7 + line) % {PRODUCTS}
ORDER BY o.created_at;

INSERT INTO core_payment (id, tenant_id, created_at, order_id, kind, method, amount_minor, currency, actor)
SELECT gen_random_uuid(), tenant_id, placed_at, id, CASE WHEN number % 50 = 0 THEN 'refund' ELSE 'payment' END, 'card',
       total_minor, 'EUR', 'large'
FROM core_order WHERE placed_at IS NOT NULL ORDER BY placed_at;

INSERT INTO core_stockmovement (id, tenant_id, created_at, product_id, quantity, stock_after, reason, note, actor)
SELECT gen_random_uuid(), p.tenant_id, p.created_at + n * interval '1 minute', p.id, 1, n, 'purchase', '', 'large'
FROM core_product AS p CROSS JOIN generate_series(1, 5) AS n WHERE p.price_minor <= 1000 ORDER BY p.created_at;

INSERT INTO mcp_ledger_auditevent (id, tenant_id, created_at, action, subject, actor, details)
SELECT gen_random_uuid(), t.id, now() - n * interval '1 hour', 'action-' || n % 10, 'product ' || n % 11,
       'actor ' || n % 7, '{{}}'
FROM core_tenant AS t CROSS JOIN generate_series(1, 500) AS n ORDER BY n;
"""


def fill(admin: psycopg.Connection) -> None:
    """Make the rows, in seconds. Needs a superuser in autocommit and an empty database."""
    tables = ", ".join(f"'{table}'::regclass" for table in TABLES)
    admin.execute("SET session_replication_role = replica; SET maintenance_work_mem = '256MB'")
    # The indexes are built at the end: kept up to date with each row they take ten times as long.
    admin.execute(f"UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid IN ({tables})")
    admin.execute(ROWS)
    for table in TABLES:
        admin.execute(f"REINDEX TABLE {table}")
    admin.execute("VACUUM ANALYZE")
    admin.execute("RESET session_replication_role; RESET maintenance_work_mem")
