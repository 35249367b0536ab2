"""Which products sell in a period, which do not, and which run out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Exists, OuterRef

from core import days
from core.models import OrderItem, Product
from core.periods import Period
from core.services import accounting, statistics

# One period's rate says little about what is further away.
HORIZON_DAYS = 90
# Where so many orders are expected, none at all has a chance of 1% (Poisson).
MIN_EXPECTED_ORDERS = math.log(100)


@dataclass(frozen=True, slots=True)
class Seller:
    """A product with its stock, and the units sold in the period: those placed less those cancelled in it."""

    sku: str
    name: str
    units: int
    revenue_minor: int
    stock: int


@dataclass(frozen=True, slots=True)
class StockOut:
    """A product in stock that will run out, and the day."""

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
    """Units and orders of a product in a period and in the period before, less those cancelled then."""

    seller: Seller
    is_active: bool
    orders: int
    orders_before: int
    units_before: int


def sold(period: Period) -> list[Sold]:
    """The products with orders placed or cancelled in the period or in the one before, in one statement."""
    since = period.previous().start
    before = statistics.net_of_lines(since, period.start)
    sums = statistics.net_of_lines(period.start, period.end)
    sums |= {"orders_before": before["orders"], "units_before": before["units"]}
    product = ("product__sku", "product__name", "product__stock", "product__is_active")
    window = (since, period.end, "order__")
    lines = OrderItem.objects.filter(accounting.placed(*window) | accounting.cancelled(*window))
    rows = lines.values(*product).annotate(**sums).values_list(*product, *sums)
    return [
        Sold(Seller(sku, name, units, int(revenue), stock), is_active, orders, *others)
        for sku, name, stock, is_active, orders, units, revenue, *others in rows
    ]


def best(goods: list[Sold], limit: int) -> list[Seller]:
    """Those with the most units, then the most revenue."""
    sellers = [each.seller for each in goods if each.seller.units > 0]
    return sorted(sellers, key=lambda each: (-each.units, -each.revenue_minor, each.sku))[:limit]


def worst(goods: list[Sold], period: Period, limit: int) -> list[Seller]:
    """Products that sold nothing, those with the most stock above the reorder level first; then those that sold least.

    In one statement. New products have had no chance, and those without stock no more.
    """
    standing = OrderItem.objects.filter(accounting.standing(period.start, period.end, "order__"))
    unsold = (
        Product.objects.filter(is_active=True, stock__gt=0, created_at__lt=period.start)
        .exclude(Exists(standing.filter(product=OuterRef("pk"))))
        .order_by("-headroom", "-id")
        .values_list("sku", "name", "stock")[:limit]
    )
    least = sorted(
        (each.seller for each in goods if each.seller.units > 0 and each.is_active),
        key=lambda each: (each.units, each.sku),
    )
    return [*(Seller(sku, name, 0, 0, stock) for sku, name, stock in unsold), *least][:limit]


def stock_outs(goods: list[Sold], period: Period, now: datetime, limit: int) -> list[StockOut]:
    """The active products in stock that run out within HORIZON_DAYS if they sell on as in the period, soonest first.

    What has run out already is not among them.
    """
    elapsed = elapsed_days(period, now)
    today = now.astimezone(period.zone).date()
    found = []
    for each in goods:
        seller = each.seller
        will_end = seller.units > 0 and 0 < seller.stock * elapsed <= HORIZON_DAYS * seller.units
        if each.is_active and will_end:
            left = seller.stock * elapsed / seller.units
            rate = round(seller.units / elapsed, 2)
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
        if each.is_active and each.orders <= 0 and each.orders_before * share >= MIN_EXPECTED_ORDERS
    ]
    return sorted(found, key=lambda each: (-each.orders_before, each.sku))[:limit]


def elapsed_days(period: Period, now: datetime) -> float:
    """The elapsed part of the period in days, each of which is one, however many hours it has.

    At least one, because less says nothing about a rate.
    """
    today = now.astimezone(period.zone).date()
    if today > period.last_day:
        return period.days
    begin, end = (days.start(day, period.zone).astimezone(UTC) for day in (today, today + timedelta(days=1)))
    return max((today - period.first_day).days + (now - begin) / (end - begin), 1.0)
