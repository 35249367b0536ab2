"""What stands out in a period: sellers, stock that runs out, customers, anomalies, refunds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.db.models import Count, Exists, OuterRef, Q
from django.utils.translation import gettext as _

from core.models import Customer, Order
from core.periods import Period
from core.services import accounting, anomalies, sellers, statistics
from core.services.anomalies import UnusualDay, UnusualOrder
from core.services.sellers import Seller, StockOut, StoppedSeller
from core.services.statistics import SalesFigures

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figure(Generic[T]):
    """A value with its period, the moment when it was read, and how it is computed."""

    value: T
    period: Period
    as_of: datetime
    method: str


@dataclass(frozen=True, slots=True)
class Buyers:
    """How many customers bought for the first time, and how many had bought before."""

    new: int
    returning: int


@dataclass(frozen=True, slots=True)
class RefundRate:
    """The money refunded and received; `percent` is None where none was received."""

    percent: float | None
    refunded_minor: int
    received_minor: int


@dataclass(frozen=True, slots=True)
class Insights:
    """What stands out in a period."""

    currency: str
    best_sellers: Figure[list[Seller]]
    worst_sellers: Figure[list[Seller]]
    stock_outs: Figure[list[StockOut]]
    customers: Figure[Buyers]
    unusual_days: Figure[list[UnusualDay]]
    unusual_orders: Figure[list[UnusualOrder]]
    stopped_sellers: Figure[list[StoppedSeller]]
    refund_rate: Figure[RefundRate]


def find(period: Period, *, limit: int = 5) -> Insights:
    """What stands out in the period, in six statements at most; its lists are no longer than the limit."""
    sales = statistics.sales(period, compare=False)
    goods = sellers.sold(period)
    now = sales.as_of

    def figure(value: T, method: str) -> Figure[T]:
        return Figure(value, period, now, method)

    return Insights(
        currency=sales.currency,
        best_sellers=figure(
            sellers.best(goods, limit),
            _(
                "The products with the most units sold in the period, less the units cancelled in it; among equals, "
                "the one with more revenue first."
            ),
        ),
        worst_sellers=figure(
            sellers.worst(goods, period, limit),
            _(
                "Active products in stock that existed when the period began and sold nothing in it, those "
                "with the most units above their reorder level first; then the active products with the "
                "fewest units sold."
            ),
        ),
        stock_outs=figure(
            sellers.stock_outs(goods, period, now, limit),
            _(
                "Units on hand now, divided by the units sold per day in the elapsed part of the period; "
                "active products that are in stock and run out within {days} days, soonest first."
            ).format(days=sellers.HORIZON_DAYS),
        ),
        customers=figure(
            _buyers(period),
            _(
                "Customers with an order placed in the period and not cancelled in it: new if they had no such order "
                "before, returning if they had one. Orders without a customer are not counted."
            ),
        ),
        unusual_days=figure(
            anomalies.days(sales, limit),
            _(
                "Complete days whose revenue is more than {distance} robust standard deviations (1.4826 "
                "times the median absolute deviation) from the median day of the period; needs {days} "
                "complete days."
            ).format(distance=anomalies.MAX_DISTANCE, days=anomalies.MIN_DAYS),
        ),
        unusual_orders=figure(
            anomalies.orders(period, limit),
            _(
                "Orders whose total is above the upper quartile of the period's orders by more than "
                "{distance} times the interquartile range; needs {orders} orders."
            ).format(distance=anomalies.MAX_DISTANCE, orders=anomalies.MIN_ORDERS),
        ),
        stopped_sellers=figure(
            sellers.stopped(goods, period, now, limit),
            _(
                "Active products without an order in the elapsed part of the period, although they sold so "
                "often in the period before that this has a probability of at most 1% (Poisson)."
            ),
        ),
        refund_rate=figure(
            _refund_rate(sales), _("The money refunded in the period, divided by the money received in it.")
        ),
    )


def _buyers(period: Period) -> Buyers:
    orders = Order.objects.filter(customer=OuterRef("pk"))
    bought = Exists(orders.filter(accounting.standing(period.start, period.end)))
    before = Exists(orders.filter(accounting.standing(None, period.start)))
    return Buyers(
        **Customer.objects.filter(bought)
        .annotate(is_known=before)
        .aggregate(
            new=Count("id", filter=Q(is_known=False)),
            returning=Count("id", filter=Q(is_known=True)),
        )
    )


def _refund_rate(sales: SalesFigures) -> RefundRate:
    refunded, received = sales.totals.refunded_minor, sales.totals.received_minor
    return RefundRate(round(refunded * 100 / received, 1) if received else None, refunded, received)
