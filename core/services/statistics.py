"""What was sold in a period, by day, week, month, category or product, and in the period before."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import BooleanField, Case, Count, DateField, DecimalField, F, QuerySet, Sum, Value, When
from django.db.models.functions import Cast, TruncDate
from django.utils import timezone

from core import currencies
from core.models import SOLD_STATUSES, Order, OrderItem, OrderStatus, Payment, PaymentKind, TenantSettings
from core.periods import Period

# Up to so many days, one without a sale is a group too.
MAX_EMPTY_DAYS = 92
UNITS = "units"


class GroupBy(StrEnum):
    """How sales are grouped."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    CATEGORY = "category"
    PRODUCT = "product"


BY_TIME = (GroupBy.DAY, GroupBy.WEEK, GroupBy.MONTH)


@dataclass(frozen=True, slots=True)
class SalesTotals:
    """Orders that were placed in the period and not cancelled, and the money that moved in it.

    Revenue is what these orders cost after discounts. A cancelled order is in `cancelled_orders` alone. Payments and
    refunds count when they were made, whenever their order was placed.
    """

    orders: int = 0
    units: int = 0
    revenue_minor: int = 0
    average_order_minor: int = 0
    discount_minor: int = 0
    received_minor: int = 0
    refunds: int = 0
    refunded_minor: int = 0
    cancelled_orders: int = 0


@dataclass(frozen=True, slots=True)
class SalesGroup:
    """One day ("2026-11-23"), week ("2026-W47"), month ("2026-11"), category or sku; `name` is the product's."""

    key: str
    name: str
    orders: int
    units: int
    revenue_minor: int


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference to the period before; `percent` is None where there was nothing."""

    absolute: int
    percent: float | None


@dataclass(frozen=True, slots=True)
class SalesFigures:
    """The sales of a period. Groups by time are in order, others by revenue; `has_more` where some were left out.

    The revenue of a category or a product is that of its lines, from which an order's discount is not taken.
    """

    period: Period
    as_of: datetime
    currency: str
    group_by: GroupBy
    totals: SalesTotals
    groups: list[SalesGroup]
    has_more: bool
    previous: SalesTotals | None

    @property
    def is_over(self) -> bool:
        """Whether the period has ended; before that a part is compared with a whole period."""
        return self.period.end <= self.as_of

    def differences(self) -> dict[str, Difference]:
        """By the name of each total, its difference to the period before; empty where that was not asked for."""
        if self.previous is None:
            return {}
        names = [field.name for field in fields(SalesTotals)]
        return {name: _difference(getattr(self.totals, name), getattr(self.previous, name)) for name in names}


def sales(period: Period, *, group_by: GroupBy = GroupBy.DAY, compare: bool = True, limit: int = 20) -> SalesFigures:
    """The sales of the period, in one statement, or two where they are grouped by category or product.

    Args:
        compare: whether to add up the period before too.
        limit: how many categories or products, those with the highest revenue first.
    """
    now = timezone.now()
    rows = _rows(period, period.previous().start if compare else period.start)
    current = [row for row in rows if row.is_current]
    groups = _by_time(current, period, group_by, now) if group_by in BY_TIME else _by_goods(period, group_by, limit + 1)
    currency = next((row.part for row in rows if row.day is None), TenantSettings().currency)
    smallest = currencies.smallest_used(currency)
    return SalesFigures(
        period=period,
        as_of=now,
        currency=currency,
        group_by=group_by,
        totals=_totals(current, smallest),
        groups=groups if group_by in BY_TIME else groups[:limit],
        has_more=group_by not in BY_TIME and len(groups) > limit,
        previous=_totals([row for row in rows if not row.is_current], smallest) if compare else None,
    )


def sold_lines(start: datetime, end: datetime) -> QuerySet[OrderItem]:
    """The lines of orders that were placed, and not cancelled, between two moments."""
    return OrderItem.objects.filter(
        order__placed_at__gte=start, order__placed_at__lt=end, order__status__in=SOLD_STATUSES
    )


def amount(**options: Any) -> Sum:
    """The sum of lines in minor units, as a type that is wide enough for any price and quantity."""
    return Sum(Cast("price_minor", _whole()) * F("quantity"), output_field=_whole(), **options)


@dataclass(frozen=True, slots=True)
class _Row:
    """A sum of one day; `part` is an order's status, a payment's kind, "units", or the currency (without a day)."""

    part: str
    is_current: bool
    day: date | None
    count: int
    amount: int
    discount: int


def _rows(period: Period, since: datetime) -> list[_Row]:
    orders = Order.objects.filter(placed_at__gte=since, placed_at__lt=period.end)
    payments = Payment.objects.filter(created_at__gte=since, created_at__lt=period.end)
    none = Value(0, output_field=_whole())
    parts = (
        _daily(orders, "status", "placed_at", period, Sum("total_minor"), Sum("discount_minor")),
        _daily(sold_lines(since, period.end), Value(UNITS), "order__placed_at", period, Sum("quantity"), none),
        _daily(payments, "kind", "created_at", period, Sum("amount_minor"), none),
        TenantSettings.objects.values_list(
            "currency", Value(True), Value(None, output_field=DateField()), Value(0), none, none
        ),
    )
    first, *others = parts
    return [
        _Row(part, is_current, day, count, int(amount), int(discount))
        for part, is_current, day, count, amount, discount in first.union(*others, all=True)
    ]


def _daily(
    rows: QuerySet[Any], part: str | Value, moment: str, period: Period, amount: Any, discount: Any
) -> QuerySet[Any, Any]:
    columns = {
        "part": F(part) if isinstance(part, str) else part,
        "is_current": Case(
            When(**{f"{moment}__gte": period.start}, then=Value(True)),
            default=Value(False),
            output_field=BooleanField(),
        ),
        "day": TruncDate(moment, tzinfo=period.start.tzinfo),
    }
    sums = {"count": Count("id"), "amount": amount, "discount": discount}
    daily: QuerySet[Any, Any] = rows.annotate(**columns).values(*columns).annotate(**sums).values_list(*columns, *sums)
    return daily


def _totals(rows: list[_Row], smallest: int = 1) -> SalesTotals:
    """`smallest` is what an average is rounded to, in minor units."""
    sold = [row for row in rows if row.part in SOLD_STATUSES]
    refunds = [row for row in rows if row.part == PaymentKind.REFUND]
    orders, revenue = sum(row.count for row in sold), sum(row.amount for row in sold)
    return SalesTotals(
        orders=orders,
        units=sum(row.amount for row in rows if row.part == UNITS),
        revenue_minor=revenue,
        average_order_minor=_ratio(revenue, orders * smallest) * smallest,
        discount_minor=sum(row.discount for row in sold),
        received_minor=sum(row.amount for row in rows if row.part == PaymentKind.PAYMENT),
        refunds=sum(row.count for row in refunds),
        refunded_minor=sum(row.amount for row in refunds),
        cancelled_orders=sum(row.count for row in rows if row.part == OrderStatus.CANCELLED),
    )


def _by_time(rows: list[_Row], period: Period, group_by: GroupBy, now: datetime) -> list[SalesGroup]:
    groups: dict[str, list[_Row]] = {}
    if group_by is not GroupBy.DAY or period.days <= MAX_EMPTY_DAYS:
        # Days that are still to come are no days without sales.
        days = (period.start.date() + timedelta(days=number) for number in range(period.days))
        groups = {_key(day, group_by): [] for day in days if day <= now.astimezone(period.start.tzinfo).date()}
    for row in sorted(
        (row for row in rows if row.day and row.part in (*SOLD_STATUSES, UNITS)), key=lambda row: str(row.day)
    ):
        groups.setdefault(_key(row.day, group_by), []).append(row)
    totals = {key: _totals(found) for key, found in groups.items()}
    return [SalesGroup(key, "", each.orders, each.units, each.revenue_minor) for key, each in totals.items()]


def _key(day: date | None, group_by: GroupBy) -> str:
    if day is None or group_by is GroupBy.DAY:
        return str(day)
    if group_by is GroupBy.MONTH:
        return f"{day:%Y-%m}"
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _by_goods(period: Period, group_by: GroupBy, limit: int) -> list[SalesGroup]:
    keys = ("product__category",) if group_by is GroupBy.CATEGORY else ("product__sku", "product__name")
    groups = (
        sold_lines(period.start, period.end)
        .values_list(*keys)
        .annotate(orders=Count("order", distinct=True), units=Sum("quantity"), revenue=amount())
        .order_by("-revenue", *keys)[:limit]
    )
    return [
        SalesGroup(key, "".join(name), orders, units, int(revenue)) for key, *name, orders, units, revenue in groups
    ]


def _difference(now: int, before: int) -> Difference:
    return Difference(now - before, round((now - before) * 100 / before, 1) if before else None)


def _ratio(total: int, count: int) -> int:
    """Half up, as a whole number."""
    return (2 * total + count) // (2 * count) if count else 0


def _whole() -> DecimalField[Any, Any]:
    return DecimalField(max_digits=60, decimal_places=0)
