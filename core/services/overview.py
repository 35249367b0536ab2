"""How much a tenant has of everything, at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, DecimalField, F, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from core import periods
from core.models import Customer, Order, OrderStatus, Product, Tenant, TenantSettings, TenantUser
from core.services import accounting
from core.services.querysets import made_once

MAX_CATEGORIES = 20


@dataclass(frozen=True, slots=True)
class CategoryStats:
    """The counts of one category; '' stands for products without a category."""

    category: str
    products: int
    active: int
    units: int


@dataclass(frozen=True, slots=True)
class ProductStats:
    """Counts of a tenant's products and their stock.

    Low and out of stock are active products with no more than their reorder level, and with nothing. The value of the
    stock is what it sells for at today's prices. `categories` are the largest ones.
    """

    tenant: str
    products: int
    active: int
    inactive: int
    low_stock: int
    out_of_stock: int
    units: int
    stock_value_minor: int
    currency: str
    categories: list[CategoryStats]
    more_categories: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class TenantStats:
    """Counts of all that a tenant has. Revenue is net: orders placed less orders cancelled, each on its own day."""

    tenant: str
    users: int
    products: int
    active_products: int
    customers: int
    orders: int
    orders_by_status: dict[str, int]
    revenue_minor: int
    revenue_this_month_minor: int
    currency: str
    as_of: datetime


def products() -> ProductStats:
    """The products of the open tenant context in figures, in two statements."""
    tenant, currency = _tenant().get()
    active = Q(is_active=True)
    rows = list(
        Product.objects.values("category")
        .annotate(
            total=Count("id"),
            active=Count("id", filter=active),
            low=Count("id", filter=active & Q(headroom__lte=0)),
            out=Count("id", filter=active & Q(stock=0)),
            units=Sum("stock"),
            # Wide enough for any price and any stock.
            value=Sum(Cast("price_minor", DecimalField(max_digits=60, decimal_places=0)) * F("stock")),
        )
        .order_by("-total", "category")
    )
    total, on_offer = _sum(rows, "total"), _sum(rows, "active")
    return ProductStats(
        tenant=tenant,
        products=total,
        active=on_offer,
        inactive=total - on_offer,
        low_stock=_sum(rows, "low"),
        out_of_stock=_sum(rows, "out"),
        units=_sum(rows, "units"),
        stock_value_minor=_sum(rows, "value"),
        currency=currency,
        categories=[
            CategoryStats(row["category"], row["total"], row["active"], row["units"]) for row in rows[:MAX_CATEGORIES]
        ],
        more_categories=max(len(rows) - MAX_CATEGORIES, 0),
        as_of=timezone.now(),
    )


def everything() -> TenantStats:
    """The open tenant context in figures, in two statements."""
    now = timezone.now()
    month = periods.parse("this_month", now=now)
    tenant, currency, users, customers, goods, active = _counted().get()
    standing = Q(placed_at__isnull=False, cancelled_at__isnull=True)
    rows = list(
        Order.objects.values("status").annotate(
            total=Count("id"),
            revenue=Sum("total_minor", filter=standing, default=0),
            placed=Sum("total_minor", filter=accounting.placed(month.start, month.end), default=0),
            cancelled=Sum("total_minor", filter=accounting.cancelled(month.start, month.end), default=0),
        )
    )
    counts = {row["status"]: row["total"] for row in rows}
    return TenantStats(
        tenant=tenant,
        users=users,
        products=goods,
        active_products=active,
        customers=customers,
        orders=_sum(rows, "total"),
        orders_by_status={status.value: counts.get(status.value, 0) for status in OrderStatus},
        revenue_minor=_sum(rows, "revenue"),
        revenue_this_month_minor=_sum(rows, "placed") - _sum(rows, "cancelled"),
        currency=currency,
        as_of=now,
    )


@made_once
def _counted() -> QuerySet[Tenant, Any]:
    """The tenant, and how much it has."""
    return _tenant(
        _count(TenantUser.objects.all()),
        _count(Customer.objects.all()),
        _count(Product.objects.all()),
        _count(Product.objects.filter(is_active=True)),
    )


def _tenant(*counts: Coalesce) -> QuerySet[Tenant, Any]:
    """The name, the currency and these counts, of the one tenant in sight."""
    currency = Coalesce(F("settings__currency"), Value(TenantSettings().currency))
    return Tenant.objects.values_list("name", currency, *counts)


def _count(rows: QuerySet[Any]) -> Coalesce:
    counted = rows.order_by().values("tenant").annotate(count=Count("id")).values("count")
    return Coalesce(Subquery(counted), 0)


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(int(row[name]) for row in rows)
