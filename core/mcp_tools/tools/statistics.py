"""What was sold."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal, Self

from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from core import amounts, formats, periods
from core.mcp_tools.bounds import REPORT_TIMEOUT
from core.mcp_tools.tools.periods import PeriodName, Span
from core.mcp_tools.units import Priced, with_texts
from core.scopes import Scope
from core.services import statistics
from core.services.statistics import BY_TIME, GroupBy, SalesFigures
from mcp_server.call.signature import MAX_ROWS, Limit
from mcp_server.call.units import Dated, Moment
from mcp_server.declare.tools import Answer, tool

# Of more groups by time, the last ones: as many as two years have weeks.
MAX_GROUPS = 105


class Totals(BaseModel):
    """What happened in the period: see SalesTotals."""

    orders: int
    units: int
    revenue: str
    revenue_minor: int
    average_order: str
    average_order_minor: int
    discount: str
    discount_minor: int
    placed_orders: int
    gross: str
    gross_minor: int
    cancelled_orders: int
    cancelled: str
    cancelled_minor: int
    received: str
    received_minor: int
    refunds: int
    refunded: str
    refunded_minor: int


class Group(BaseModel):
    """One day, week, month, category or product."""

    key: str
    name: str
    orders: int
    units: int
    revenue: str
    revenue_minor: int


class Difference(BaseModel):
    """The difference to the period before; that of an amount is a decimal text."""

    absolute: int | str
    percent: float | None


class SalesAnswer(Priced, Dated, Answer):
    """The sales of a period, in groups, and how they differ from the period before.

    Each thing counts on its own day: an order when it was placed (`gross_minor`), and less when it was cancelled
    (`cancelled_minor`); `revenue_minor`, orders and units are net, and may be negative. So the figures of a period that
    is over stay. Revenue is after discounts; that of a category or a product is of its lines, before an order's
    discount. `percent` is null where there was nothing before, or less. Of many groups by time there are the last ones.
    `next_step` says how to see what is left out.
    """

    period: Span
    is_over: bool
    as_of: Moment
    totals: Totals
    group_by: GroupBy
    revenue_of_groups: Literal["orders", "lines"]
    groups: list[Group]
    has_more: bool
    next_step: str | None
    previous_period: Span | None
    previous: Totals | None
    differences: dict[str, Difference]

    @classmethod
    def of(cls, sales: SalesFigures) -> Self:
        is_by_time = sales.group_by in BY_TIME
        shown = sales.groups[-MAX_GROUPS:] if is_by_time else sales.groups
        groups = [Group(**with_texts(each, sales.currency)) for each in shown]
        return cls(
            period=Span.of(sales.period),
            is_over=sales.is_over,
            as_of=sales.as_of,
            currency=sales.currency,
            totals=Totals(**with_texts(sales.totals, sales.currency)),
            group_by=sales.group_by,
            revenue_of_groups="orders" if is_by_time else "lines",
            groups=groups,
            has_more=sales.has_more,
            next_step=_next_step(groups, sales),
            previous_period=Span.of(sales.period.previous()) if sales.previous else None,
            previous=Totals(**with_texts(sales.previous, sales.currency)) if sales.previous else None,
            differences=_differences(sales),
        )

    def text(self) -> str:
        as_of = _("As of {moment}").format(moment=formats.moment(self.as_of))
        return "\n".join([*self._summary(), *self._comparison(), *self._net(), *self._groups(), as_of])

    def _summary(self) -> list[str]:
        totals = self.totals
        lines = [
            _(
                "Sales from {first} to {last}: revenue {revenue}, orders {orders}, units {units}, "
                "average order {average}"
            ).format(
                **self.period.days(),
                revenue=self._money(totals.revenue_minor),
                orders=formats.number(totals.orders),
                units=formats.number(totals.units),
                average=self._money(totals.average_order_minor),
            ),
            _(
                "Discounts {discount}, payments {received}, refunds {refunded} ({refunds}), "
                "cancelled orders {cancelled}"
            ).format(
                discount=self._money(totals.discount_minor),
                received=self._money(totals.received_minor),
                refunded=self._money(totals.refunded_minor),
                refunds=formats.number(totals.refunds),
                cancelled=formats.number(totals.cancelled_orders),
            ),
        ]
        return lines if self.is_over else [*lines, _("The period is not over yet.")]

    def _comparison(self) -> list[str]:
        if self.previous_period is None:
            return []
        return [
            _(
                "Compared with the period before ({first} to {last}): revenue {revenue}, orders {orders}, units {units}"
            ).format(
                **self.previous_period.days(),
                revenue=_signed(self.differences["revenue_minor"]),
                orders=_signed(self.differences["orders"]),
                units=_signed(self.differences["units"]),
            )
        ]

    def _net(self) -> list[str]:
        totals = self.totals
        if not totals.cancelled_orders:
            return []
        return [
            _(
                "Net of what was cancelled in the period: gross {gross} (orders {placed}) less {cancelled} "
                "(orders {count})"
            ).format(
                gross=self._money(totals.gross_minor),
                placed=formats.number(totals.placed_orders),
                cancelled=self._money(totals.cancelled_minor),
                count=formats.number(totals.cancelled_orders),
            )
        ]

    def _groups(self) -> list[str]:
        lines = [
            _("- {name}: {revenue}, orders {orders}, units {units}").format(
                name=_label(each, self.group_by),
                revenue=self._money(each.revenue_minor),
                orders=formats.number(each.orders),
                units=formats.number(each.units),
            )
            for each in self.groups
        ]
        if self.revenue_of_groups == "lines" and lines:
            lines.insert(0, _("Revenue of the order lines, before order discounts:"))
        return [*lines, self.next_step] if self.next_step else lines

    def _money(self, minor: int) -> str:
        return formats.money(minor, self.currency)


def _differences(sales: SalesFigures) -> dict[str, Difference]:
    """By the name of each total; of an amount both ways."""
    found: dict[str, Difference] = {}
    for name, each in sales.differences().items():
        if name.endswith("_minor"):
            absolute = amounts.text(each.absolute, sales.currency)
            found[name.removesuffix("_minor")] = Difference(absolute=absolute, percent=each.percent)
        found[name] = Difference(absolute=each.absolute, percent=each.percent)
    return found


def _label(group: Group, group_by: GroupBy) -> str:
    if group_by is GroupBy.DAY:
        return formats.day(date.fromisoformat(group.key))
    if group_by is GroupBy.CATEGORY:
        return group.key or _("(no category)")
    return f"{group.key} {formats.short(group.name, columns=max(32 - len(group.key), 8))}".strip()


def _next_step(groups: list[Group], sales: SalesFigures) -> str | None:
    if sales.has_more and len(groups) < MAX_ROWS:
        return _("There are more: call again with a higher limit.")
    if sales.has_more:
        return _("There are more: call again with a shorter period.")
    if len(groups) == len(sales.groups):
        return None
    return _("For earlier ones call again with period={period}.").format(period=_before(groups[0], sales))


def _before(group: Group, sales: SalesFigures) -> str:
    """The part of the period that lies before a group by time."""
    first = {
        GroupBy.DAY: lambda: date.fromisoformat(group.key),
        GroupBy.WEEK: lambda: date.fromisocalendar(int(group.key[:4]), int(group.key[6:]), 1),
        GroupBy.MONTH: lambda: date.fromisoformat(f"{group.key}-01"),
    }[sales.group_by]()
    return f"{sales.period.first_day}..{first - timedelta(days=1)}"


def _signed(difference: Difference) -> str:
    if difference.percent is None:
        return _("nothing before") if difference.absolute else "0"
    sign = "+" if difference.percent > 0 else ""
    return sign + formats.percent(difference.percent / 100)


@tool(scope=Scope.REPORTS_READ, title="Sales statistics", read_only=True, timeout=REPORT_TIMEOUT, cache=60)
def get_sales_statistics(
    period: PeriodName = "last_30_days",
    group_by: Annotated[GroupBy, Field(description="How the sales are grouped.")] = GroupBy.DAY,
    compare: Annotated[bool, Field(description="Whether to compare with the period before.")] = True,
    limit: Annotated[Limit, Field(description="Number of categories or products, by revenue.")] = 20,
) -> SalesAnswer:
    """Add up this tenant's sales in a period: orders, units, revenue (gross, cancelled, net), discounts and refunds, in
    groups. What is cancelled or refunded counts on its own day, so a past month stays as it was.

    For the orders themselves call list_orders; for what stands out call get_business_insights.
    """
    return SalesAnswer.of(statistics.sales(periods.parse(period), group_by=group_by, compare=compare, limit=limit))
