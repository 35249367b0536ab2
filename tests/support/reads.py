"""Every list and every aggregate that the services read, as calls: for what depends on size (see `large`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import periods
from core.models import OrderStatus
from core.periods import Period
from core.services import insights, inventory, orders, overview, products, statistics, stock, tenants
from core.services.products import StockLevel
from core.services.statistics import GroupBy
from mcp_server.ledger import events

Read = Callable[[str | None], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A list or an aggregate: called with a cursor, or None. `indexes` are those that it uses, beside others."""

    name: str
    read: Read
    indexes: set[str]
    statements: int = 1

    def sent(self, cursor: str | None = None) -> tuple[list[str], Any]:
        """The statements that a call sends, without what the backend puts before them, and its result."""
        with CaptureQueriesContext(connection) as captured:
            result = self.read(cursor)
        return [query["sql"].rpartition("SET LOCAL row_security=on;")[2] for query in captured.captured_queries], result


def month() -> Period:
    return periods.parse("last_30_days")


def products_by(name: str, *indexes: str, statements: int = 1, **filters: Any) -> Case:
    return Case(
        name=name,
        read=lambda cursor: products.page(limit=20, cursor=cursor, **filters),
        indexes=set(indexes),
        statements=statements,
    )


def inventory_by(name: str, **filters: bool) -> Case:
    return Case(
        name=name, read=lambda cursor: inventory.page(limit=20, cursor=cursor, **filters), indexes={"product_headroom"}
    )


def orders_by(name: str, index: str, **filters: Any) -> Case:
    return Case(
        name=name,
        read=lambda cursor: orders.page(limit=20, cursor=cursor, **filters),
        indexes={index, "orderitem_product_unique"},
    )


def audit_by(name: str, index: str, **filters: Any) -> Case:
    return Case(name=name, read=lambda cursor: events.page(limit=20, cursor=cursor, **filters), indexes={index})


def figure(name: str, read: Callable[[], Any], *indexes: str, statements: int = 2) -> Case:
    return Case(name=name, read=lambda cursor: read(), indexes=set(indexes), statements=statements)


def sales_by(group_by: GroupBy) -> Case:
    by_time = group_by in statistics.BY_TIME
    return figure(
        f"sales by {group_by}",
        lambda: statistics.sales(month(), group_by=group_by),
        *("order_placed_at", "orderitem_product_unique", "payment_time"),
        statements=1 if by_time else 2,
    )


LISTS = [
    products_by("products", "product_newest"),
    products_by("products of a category", "product_category", category="category-7"),
    products_by("inactive products", "product_newest", is_active=False),
    products_by("products by price", "product_newest", statements=2, min_price=Decimal(1), max_price=Decimal(900)),
    products_by("products in stock", "product_newest", stock=StockLevel.IN_STOCK),
    products_by("products low in stock", "product_newest", stock=StockLevel.LOW),
    products_by("products out of stock", "product_newest", stock=StockLevel.OUT),
    products_by("products found by a word", "productterm_unique", search="sku99"),
    products_by("products found by two words", "productterm_unique", search="sku99 sku9"),
    inventory_by("inventory"),
    inventory_by("inventory that is low", low_only=True),
    inventory_by("inventory with the inactive", include_inactive=True),
    orders_by("orders", "order_newest"),
    orders_by("orders in a status", "order_status", status=OrderStatus.PAID),
    orders_by("orders of a period", "order_newest", period="last_30_days"),
    audit_by("audit", "mcp_auditevent_newest"),
    audit_by("audit of a tool", "mcp_auditevent_action", action="action-3"),
    audit_by("audit of a product", "mcp_auditevent_subject", subject="product 3"),
    audit_by("audit of an actor", "mcp_auditevent_actor", actor="actor 3"),
]
WHOLE = [
    orders_by("orders of a customer", "order_customer", customer_email="customer-7@x.example"),
    products_by("products found by a letter", "product_newest", search="s"),
    products_by("products that nothing finds", "productterm_unique", search="nothing"),
    figure("a product", lambda: products.get("SKU77"), "product_sku_unique", statements=1),
    figure("its movements", lambda: stock.recent(products.get("SKU7"), limit=5), "stockmovement_product"),
    figure("the tenant", tenants.get, statements=1),
    figure("its users", lambda: tenants.users(limit=20, cursor=None), statements=1),
    figure("product statistics", overview.products),
    figure("tenant statistics", overview.everything, "core_product_tenant_key"),
    *map(sales_by, GroupBy),
    figure("sales of years", lambda: statistics.sales(periods.parse("last_730_days")), "payment_time", statements=1),
    figure("insights", lambda: insights.find(month()), "order_placed_at", "product_headroom", statements=6),
]
