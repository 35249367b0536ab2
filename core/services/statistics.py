"""What was sold in a period, by day, week, month, category or product, and in the period before."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    Case,
    Count,
    DateTimeField,
    DecimalField,
    F,
    Func,
    IntegerField,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast
from django.utils import timezone

from core import currencies
from core.models import Order, OrderItem, Payment, PaymentKind, TenantSettings
from core.periods import Period
from core.services import accounting

# Up to so many days, one without a sale is a group too.
MAX_EMPTY_DAYS = 92
# Numbers of groups: the period before, and what is of no time. The groups of the period count from 1.
BEFORE, TIMELESS = 0, -1


class GroupBy(StrEnum):
    """How sales are grouped."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    CATEGORY = "category"
    PRODUCT = "product"


BY_TIME = (GroupBy.DAY, GroupBy.WEEK, GroupBy.MONTH)


class Part(StrEnum):
    """What a sum is of: orders placed that stood at the end of the period, or did not, and so on."""

    STANDING = "standing"
    FALLEN = "fallen"
    CANCELLED = "cancelled"
    UNITS = "units"
    UNITS_BACK = "units back"


@dataclass(frozen=True, slots=True)
class SalesTotals:
    """What happened in the period: orders placed, orders cancelled, and the money that moved, each on its own day.

    `gross_minor` is what the `placed_orders` cost after discounts, whatever became of them; `cancelled_minor` what the
    `cancelled_orders` had cost, whenever they had been placed. `revenue_minor` is net: gross less cancelled, and so
    are `orders`, `units` and `discount_minor`; where more was cancelled than placed they are negative. The average is
    that of the orders that were placed in the period and not cancelled in it. Payments and refunds count when they
    were made. So nothing that happens later changes a period that is over, and parts add up to the whole.
    """

    orders: int = 0
    units: int = 0
    revenue_minor: int = 0
    average_order_minor: int = 0
    discount_minor: int = 0
    placed_orders: int = 0
    gross_minor: int = 0
    cancelled_orders: int = 0
    cancelled_minor: int = 0
    received_minor: int = 0
    refunds: int = 0
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class SalesGroup:
    """One day ("2026-11-23"), week ("2026-W47"), month ("2026-11"), category or sku; `name` is the product's.

    Orders, units and revenue are net, as in the totals. A category is that in which a product was ordered; a product is
    named as it is now.
    """

    key: str
    name: str
    orders: int
    units: int
    revenue_minor: int


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference to the period before; `percent` is None where there was nothing, or less."""

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
    groups = _starts(period, group_by)
    rows = _rows(period, period.previous().start if compare else period.start, list(groups.values()))
    goods = [] if group_by in BY_TIME else _by_goods(period, group_by, limit + 1)
    currency = next((row.part for row in rows if row.group == TIMELESS), TenantSettings().currency)
    smallest = currencies.smallest_used(currency)
    return SalesFigures(
        period=period,
        as_of=now,
        currency=currency,
        group_by=group_by,
        totals=_totals([row for row in rows if row.group > BEFORE], smallest),
        groups=_by_time(rows, groups, period, group_by, now) if group_by in BY_TIME else goods[:limit],
        has_more=len(goods) > limit,
        previous=_totals([row for row in rows if row.group == BEFORE], smallest) if compare else None,
    )


def net_of_lines(start: datetime, end: datetime) -> dict[str, Any]:
    """Aggregates of lines: orders, units and revenue that were placed between two moments, less what was cancelled.

    What was placed and cancelled between them is nothing, and not looked at.
    """
    placed, back = accounting.standing(start, end, "order__"), accounting.taken_back(start, end, "order__")
    return {
        "orders": Count("order", distinct=True, filter=placed) - Count("order", distinct=True, filter=back),
        "units": Sum("quantity", filter=placed, default=0) - Sum("quantity", filter=back, default=0),
        "revenue": _amount(placed) - _amount(back),
    }


def _amount(lines: Q) -> Sum:
    """The sum of lines in minor units, as a type that is wide enough for any price and quantity."""
    none = Value(0, output_field=_whole())
    return Sum(Cast("price_minor", _whole()) * F("quantity"), filter=lines, default=none, output_field=_whole())


@dataclass(frozen=True, slots=True)
class _Row:
    """A sum of one group; `part` is a Part, the kind of a payment, or the currency."""

    part: str
    group: int
    count: int
    amount: int
    discount: int


def _starts(period: Period, group_by: GroupBy) -> dict[str, datetime]:
    """Where each group by time begins, in order; where sales are grouped otherwise, the period is one."""
    if group_by not in BY_TIME:
        return {"": period.start}
    starts: dict[str, datetime] = {}
    for day, moment in period.day_starts().items():
        starts.setdefault(_key(day, group_by), moment)
    # Of a period that a zone has left out there is no day, and nothing happened in it.
    return starts or {_key(period.first_day, group_by): period.start}


def _rows(period: Period, since: datetime, starts: list[datetime]) -> list[_Row]:
    window = (since, period.end)
    placed = Order.objects.filter(accounting.placed(*window))
    cancelled = Order.objects.filter(accounting.cancelled(*window))
    lines = OrderItem.objects.filter(accounting.placed(*window, "order__"))
    lines_back = OrderItem.objects.filter(accounting.cancelled(*window, "order__"))
    payments = Payment.objects.filter(created_at__gte=since, created_at__lt=period.end)
    none = Value(0, output_field=_whole())
    total, discount, units = Sum("total_minor"), Sum("discount_minor"), Sum("quantity")
    first, *others = (
        _grouped(placed, _whether_standing(period), "placed_at", starts, total, discount),
        _grouped(cancelled, Value(Part.CANCELLED.value), "cancelled_at", starts, total, discount),
        _grouped(lines, Value(Part.UNITS.value), "order__placed_at", starts, units, none),
        _grouped(lines_back, Value(Part.UNITS_BACK.value), "order__cancelled_at", starts, units, none),
        _grouped(payments, F("kind"), "created_at", starts, Sum("amount_minor"), none),
        TenantSettings.objects.values_list("currency", Value(TIMELESS), Value(0), none, none),
    )
    return [
        _Row(part, group, count, int(amount), int(discount))
        for part, group, count, amount, discount in first.union(*others, all=True)
    ]


def _whether_standing(period: Period) -> Case:
    """Whether an order was not cancelled before the end of the one of both periods in which it was placed."""
    before = period.previous()
    is_standing = accounting.standing(period.start, period.end) | accounting.standing(before.start, before.end)
    return Case(When(is_standing, then=Value(Part.STANDING.value)), default=Value(Part.FALLEN.value))


def _grouped(
    rows: QuerySet[Any], part: Any, moment: str, starts: list[datetime], amount: Any, discount: Any
) -> QuerySet[Any, Any]:
    columns = {"part": part, "group": _group(moment, starts)}
    sums = {"count": Count("id"), "amount": amount, "discount": discount}
    grouped: QuerySet[Any, Any] = (
        rows.annotate(**columns).values(*columns).annotate(**sums).values_list(*columns, *sums)
    )
    return grouped


def _group(moment: str, starts: list[datetime]) -> Func:
    """The number of the group in which a moment lies, counted from 1; 0 before the first.

    The groups were computed by core.days: PostgreSQL compares moments, and asks no rules of time zones of its own.
    """
    bounds = Value(starts, output_field=ArrayField(DateTimeField()))
    return Func(F(moment), bounds, function="WIDTH_BUCKET", output_field=IntegerField())


def _totals(rows: list[_Row], smallest: int = 1) -> SalesTotals:
    """`smallest` is what an average is rounded to, in minor units."""
    standing, fallen, cancelled, units, units_back, payments, refunds = (
        _sum(rows, part)
        for part in (
            *(Part.STANDING, Part.FALLEN, Part.CANCELLED, Part.UNITS, Part.UNITS_BACK),
            *(PaymentKind.PAYMENT, PaymentKind.REFUND),
        )
    )
    gross, placed = standing.amount + fallen.amount, standing.count + fallen.count
    return SalesTotals(
        orders=placed - cancelled.count,
        units=units.amount - units_back.amount,
        revenue_minor=gross - cancelled.amount,
        average_order_minor=_ratio(standing.amount, standing.count * smallest) * smallest,
        discount_minor=standing.discount + fallen.discount - cancelled.discount,
        placed_orders=placed,
        gross_minor=gross,
        cancelled_orders=cancelled.count,
        cancelled_minor=cancelled.amount,
        received_minor=payments.amount,
        refunds=refunds.count,
        refunded_minor=refunds.amount,
    )


def _sum(rows: list[_Row], part: str) -> _Row:
    """One row for all of them that are of this part."""
    found = [row for row in rows if row.part == part]
    sums = (sum(getattr(row, name) for row in found) for name in ("count", "amount", "discount"))
    return _Row(part, TIMELESS, *sums)


def _by_time(
    rows: list[_Row], starts: dict[str, datetime], period: Period, group_by: GroupBy, now: datetime
) -> list[SalesGroup]:
    by_group: dict[int, list[_Row]] = defaultdict(list)
    for row in rows:
        by_group[row.group].append(row)
    shows_empty = group_by is not GroupBy.DAY or period.days <= MAX_EMPTY_DAYS
    groups = []
    for number, (key, start) in enumerate(starts.items(), start=1):
        totals = _totals(by_group[number])
        group = SalesGroup(key, "", totals.orders, totals.units, totals.revenue_minor)
        has_sales = group.orders or group.units or group.revenue_minor
        # Days that are still to come are no days without sales.
        if has_sales or (shows_empty and start <= now and start < period.end):
            groups.append(group)
    return groups


def _key(day: date, group_by: GroupBy) -> str:
    if group_by is GroupBy.DAY:
        return str(day)
    if group_by is GroupBy.MONTH:
        return f"{day:%Y-%m}"
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _by_goods(period: Period, group_by: GroupBy, limit: int) -> list[SalesGroup]:
    keys = ("category",) if group_by is GroupBy.CATEGORY else ("product__sku", "product__name")
    window = (period.start, period.end, "order__")
    groups = (
        OrderItem.objects.filter(accounting.standing(*window) | accounting.taken_back(*window))
        .values_list(*keys)
        .annotate(**net_of_lines(period.start, period.end))
        .order_by(F("revenue").desc(), *keys)[:limit]
    )
    return [
        SalesGroup(key, "".join(name), orders, units, int(revenue)) for key, *name, orders, units, revenue in groups
    ]


def _difference(now: int, before: int) -> Difference:
    return Difference(now - before, round((now - before) * 100 / before, 1) if before > 0 else None)


def _ratio(total: int, count: int) -> int:
    """Half up, as a whole number."""
    return (2 * total + count) // (2 * count) if count else 0


def _whole() -> DecimalField[Any, Any]:
    return DecimalField(max_digits=60, decimal_places=0)
