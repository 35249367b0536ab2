"""Which products sell in a period, which do not, and which run out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q, Sum

from core.models import Product
from core.periods import Period
from core.services.statistics import amount, sold_lines

# One period's rate says little about what is further away.
HORIZON_DAYS = 90
# Where so many orders are expected, none at all has a chance of 1% (Poisson).
MIN_EXPECTED_ORDERS = math.log(100)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Seller:
    """A product, what was sold of it in the period, and what is on hand."""

    sku: str
    name: str
    units: int
    revenue_minor: int
    stock: int


@dataclass(frozen=True, slots=True)
class StockOut:
    """A product that runs out, and when."""

    sku: str
    name: str
    stock: int
    units_per_day: float
    days_left: float
    expected_on: date


@dataclass(frozen=True, slots=True)
class StoppedSeller:
    """A product that sold in the period before and does not in this one."""

    sku: str
    name: str
    stock: int
    orders_before: int
    units_before: int


@dataclass(frozen=True, slots=True)
class Sold:
    """What was sold of a product in a period and in the one before."""

    seller: Seller
    is_active: bool
    orders: int
    orders_before: int
    units_before: int


def sold(period: Period) -> list[Sold]:
    """The products that sold in the period or in the one before, in one statement."""
    now = Q(order__placed_at__gte=period.start)
    before = Q(order__placed_at__lt=period.start)
    sums = {
        "units": Sum("quantity", filter=now, default=0),
        "revenue": amount(filter=now, default=0),
        "orders": Count("id", filter=now),
        "orders_before": Count("id", filter=before),
        "units_before": Sum("quantity", filter=before, default=0),
    }
    product = ("product__sku", "product__name", "product__stock", "product__is_active")
    rows = (
        sold_lines(period.previous().start, period.end).values(*product).annotate(**sums).values_list(*product, *sums)
    )
    return [
        Sold(Seller(sku, name, units, int(revenue), stock), is_active, *others)
        for sku, name, stock, is_active, units, revenue, *others in rows
    ]


def best(goods: list[Sold], limit: int) -> list[Seller]:
    """Those with the most units, then the most revenue."""
    sellers = [each.seller for each in goods if each.orders]
    return sorted(sellers, key=lambda each: (-each.units, -each.revenue_minor, each.sku))[:limit]


def worst(goods: list[Sold], period: Period, limit: int) -> list[Seller]:
    """What sold nothing, those with the most stock above the reorder level first, then what sold least.

    In one statement. New products have had no chance, and those without stock no more.
    """
    unsold = (
        Product.objects.filter(is_active=True, stock__gt=0, created_at__lt=period.start)
        .exclude(Exists(sold_lines(period.start, period.end).filter(product=OuterRef("pk"))))
        .order_by("-headroom", "-id")
        .values_list("sku", "name", "stock")[:limit]
    )
    least = sorted(
        (each.seller for each in goods if each.orders and each.is_active), key=lambda each: (each.units, each.sku)
    )
    return [*(Seller(sku, name, 0, 0, stock) for sku, name, stock in unsold), *least][:limit]


def stock_outs(goods: list[Sold], period: Period, now: datetime, limit: int) -> list[StockOut]:
    """The active products that run out within HORIZON_DAYS if they sell on as in the period, soonest first."""
    days = elapsed_days(period, now)
    today = now.astimezone(period.start.tzinfo).date()
    found = []
    for each in goods:
        seller = each.seller
        if each.is_active and seller.units and seller.stock * days <= HORIZON_DAYS * seller.units:
            left = seller.stock * days / seller.units
            rate = round(seller.units / days, 2)
            found.append(
                StockOut(seller.sku, seller.name, seller.stock, rate, round(left, 1), today + timedelta(days=int(left)))
            )
    return sorted(found, key=lambda each: (each.days_left, -each.units_per_day, each.sku))[:limit]


def stopped(goods: list[Sold], period: Period, now: datetime, limit: int) -> list[StoppedSeller]:
    """The active products whose silence in the period is no chance, those that sold most often first."""
    share = elapsed_days(period, now) / period.previous().days
    found = [
        StoppedSeller(each.seller.sku, each.seller.name, each.seller.stock, each.orders_before, each.units_before)
        for each in goods
        if each.is_active and not each.orders and each.orders_before * share >= MIN_EXPECTED_ORDERS
    ]
    return sorted(found, key=lambda each: (-each.orders_before, each.sku))[:limit]


def elapsed_days(period: Period, now: datetime) -> float:
    """How much of the period lies behind, in days; one at least, because less says nothing about a rate."""
    return max((min(now, period.end) - period.start) / DAY, 1.0)
