"""Days and orders that are far from what is usual in a period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from statistics import median

from django.db.models import Aggregate, BigIntegerField, Count

from core import currencies
from core.models import Order
from core.periods import Period
from core.services import accounting
from core.services.statistics import SalesFigures

MAX_DISTANCE = 3
# Fewer have no usual value to be far from.
MIN_DAYS = 7
MIN_ORDERS = 8
# The median absolute deviation of normally distributed values times this is their standard deviation.
DEVIATIONS_PER_MAD = 1.4826


class Percentile(Aggregate):
    """The smallest value that this share of the values does not exceed."""

    function = "PERCENTILE_DISC"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = BigIntegerField()


@dataclass(frozen=True, slots=True)
class UnusualDay:
    """A day with far more or far less revenue than the median day."""

    day: date
    revenue_minor: int
    usual_minor: int


@dataclass(frozen=True, slots=True)
class UnusualOrder:
    """An order whose total is far above the others; three quarters of them have a total of at most `usual_minor`."""

    number: int
    total_minor: int
    usual_minor: int


def days(sales: SalesFigures, limit: int) -> list[UnusualDay]:
    """The days with unusual revenue in these sales, which are grouped by day; the most unusual first.

    A day counts when it is over: beyond MAX_DISTANCE robust standard deviations from the median.
    """
    today = sales.as_of.astimezone(sales.period.zone).date()
    revenue = dict.fromkeys((day for day in sales.period.day_starts() if day < today), 0)
    for group in sales.groups:
        day = date.fromisoformat(group.key)
        if day in revenue:
            revenue[day] = group.revenue_minor
    if len(revenue) < MIN_DAYS:
        return []
    usual = median(revenue.values())
    deviation = DEVIATIONS_PER_MAD * median(abs(each - usual) for each in revenue.values())
    # Where most days are alike there is no deviation to measure with.
    far = {day: each for day, each in revenue.items() if 0 < MAX_DISTANCE * deviation < abs(each - usual)}
    furthest = sorted(far, key=lambda day: (-abs(far[day] - usual), day))[:limit]
    smallest = currencies.smallest_used(sales.currency)
    return [UnusualDay(day, far[day], round(usual / smallest) * smallest) for day in furthest]


def orders(period: Period, limit: int) -> list[UnusualOrder]:
    """The orders beyond the outer fence (Tukey): MAX_DISTANCE times the distance of the quartiles above the upper one.

    In two statements; the largest first. An order that was cancelled in the period is not among them.
    """
    sold = Order.objects.filter(accounting.standing(period.start, period.end))
    found = sold.aggregate(
        count=Count("id"), low=Percentile("total_minor", share=0.25), high=Percentile("total_minor", share=0.75)
    )
    if found["count"] < MIN_ORDERS:
        return []
    fence = found["high"] + MAX_DISTANCE * (found["high"] - found["low"])
    largest = sold.filter(total_minor__gt=fence).order_by("-total_minor", "number")[:limit]
    return [
        UnusualOrder(number, total, found["high"]) for number, total in largest.values_list("number", "total_minor")
    ]
