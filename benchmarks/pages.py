"""What a page of 20 rows costs this process, by what it does, and what the platform's lists cost with many tenants.

    python -m benchmarks.pages > table.md

CPU of this process, the least of some rounds: PostgreSQL's own is not in it. Rows are read, made an answer, written
as text, and made structured content. The platform's figures are wall time, PostgreSQL included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from benchmarks import common  # isort: skip

import psycopg
from django.utils import translation
from psycopg.conninfo import make_conninfo

from core.mcp_tools.tools.audit_log import AuditLog
from core.mcp_tools.tools.inventory import Inventory
from core.mcp_tools.tools.orders import OrderPage
from core.mcp_tools.tools.products import ProductPage
from core.services import inventory, orders, platform_stats, products, tenants
from mcp_server.ledger import events
from rls import platform_context, read_only, tenant_context
from rls.testing.server import disconnect
from tests.support.world import make_tenant

TENANTS = 100_000
REPEATS = 30
ROUNDS = 7
LISTS: list[tuple[str, Callable[[], Any], Callable[[Any], Any]]] = [
    ("products", lambda: products.page(limit=20, cursor=None), ProductPage.of),
    ("inventory", lambda: inventory.page(limit=20, cursor=None), Inventory.of),
    ("orders", lambda: orders.page(limit=20, cursor=None), OrderPage.of),
    ("audit log", lambda: events.page(limit=20, cursor=None), AuditLog.of),
]
PLATFORM: list[tuple[str, Callable[[], Any]]] = [
    ("a page of tenants", lambda: tenants.page(limit=20, cursor=None)),
    ("figures of the platform", platform_stats.get),
    ("the first of all tenants", lambda: next(tenants.find())),
]
# The rows of one tenant, and then the other tenants with three users, five products and five orders each.
ROWS = """
SET session_replication_role = replica;
INSERT INTO core_product (tenant_id, sku, name, category, price_minor, currency, stock, is_active, created_at)
SELECT id, 'SKU-' || n, 'A thing of oak, number ' || n, 'category ' || n % 40, n * 10, 'EUR', n % 3000, true,
       now() - n * interval '1 minute'
FROM core_tenant CROSS JOIN generate_series(1, 100000) AS n;
INSERT INTO core_order (tenant_id, number, status, currency, total_minor, placed_at, created_at, customer_id)
SELECT t.id, n, 'placed', 'EUR', n * 100, now() - n * interval '1 hour', now() - n * interval '1 hour', c.id
FROM core_tenant AS t JOIN core_customer AS c ON c.tenant_id = t.id CROSS JOIN generate_series(2, 3000) AS n;
INSERT INTO core_orderitem (tenant_id, order_id, product_id, quantity, price_minor, currency)
SELECT o.tenant_id, o.id, p.id, 2, 100, 'EUR'
FROM core_order AS o CROSS JOIN (SELECT id FROM core_product LIMIT 3) AS p WHERE o.number > 1;
INSERT INTO mcp_ledger_auditevent (tenant_id, created_at, action, subject, actor, details)
SELECT id, now() - n * interval '1 hour', 'adjust_stock', 'product A-1', 'a token', '{}'
FROM core_tenant CROSS JOIN generate_series(1, 5000) AS n;
"""
OTHERS = f"""
INSERT INTO core_tenant (name, subdomain, is_active, created_at)
SELECT 'Tenant ' || n, 'tenant-' || n, n % 50 > 0, now() - n * interval '1 minute'
FROM generate_series(1, {TENANTS}) AS n;
INSERT INTO core_tenantuser (tenant_id, username, email, role)
SELECT t.id, 'user-' || n, 'user@x.example', 'staff' FROM core_tenant AS t CROSS JOIN generate_series(1, 3) AS n;
INSERT INTO core_product (tenant_id, sku, name, price_minor, currency, stock, is_active)
SELECT t.id, 'S-' || n, 'Thing', n, 'EUR', 5, true FROM core_tenant AS t CROSS JOIN generate_series(1, 5) AS n;
INSERT INTO core_order (tenant_id, number, status)
SELECT t.id, 10000 + n, 'draft' FROM core_tenant AS t CROSS JOIN generate_series(1, 5) AS n ORDER BY n;
"""


def fill(admin: psycopg.Connection, rows: str) -> None:
    for statement in [*rows.strip().split(";\n"), "VACUUM ANALYZE"]:
        admin.execute(statement)


def least(clock: Callable[[], float], call: Callable[[], Any]) -> float:
    """Microseconds of a call by the clock, in the best of the rounds."""
    call()
    rounds = []
    for _ in range(ROUNDS):
        started = clock()
        for _ in range(REPEATS):
            call()
        rounds.append((clock() - started) / REPEATS * 1e6)
    return min(rounds)


def parts(read: Callable[[], Any], shape: Callable[[Any], Any]) -> list[float]:
    page = read()
    answer = shape(page)
    steps = [read, lambda: shape(page), answer.text, lambda: answer.model_dump(mode="json", by_alias=True)]
    return [least(time.process_time, step) for step in steps]


def main() -> None:
    with common.database() as (server, name):
        acme = make_tenant("acme", "Acme")
        with closing(psycopg.connect(make_conninfo(server.admin_url, dbname=name), autocommit=True)) as admin:
            fill(admin, ROWS)
            print("| page of 20 | rows | answer | text | structured content | together, µs of CPU |")
            print("|---|---|---|---|---|---|")
            with tenant_context(acme.id), translation.override("en"), read_only():
                for title, read, shape in LISTS:
                    found = parts(read, shape)
                    cells = [f"{each:,.0f}" for each in [*found, sum(found)]]
                    print(f"| {title} | {' | '.join(cells)} |", flush=True)
            fill(admin, OTHERS)
        print()
        print(f"| with {TENANTS:,} tenants | ms |")
        print("|---|---|")
        with platform_context(actor="benchmarks", reason="measure"):
            for title, call in PLATFORM:
                print(f"| {title} | {least(time.perf_counter, call) / 1000:.1f} |", flush=True)
        disconnect()


if __name__ == "__main__":
    main()
