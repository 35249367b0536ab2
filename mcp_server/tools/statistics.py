"""What was sold."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, Self

from django.utils.translation import gettext as _
from pydantic import Field

from core import formats, periods
from core.principals import Scope
from core.services import statistics
from core.services.statistics import BY_TIME, Difference, GroupBy, SalesFigures, SalesGroup, SalesTotals
from mcp_server.parameters import Limit
from mcp_server.registry import Answer, tool
from mcp_server.tools.periods import PeriodName, Span

# Of more groups by time the text has the last ones, and the structured content all.
MOST_LINES = 31


class SalesAnswer(Answer):
    """The sales of a period, in groups, and how they differ from the period before.

    Revenue is of orders that were placed in the period and not cancelled, after discounts; that of a category or a
    product is of its lines, before an order's discount. `percent` is null where there was nothing before.
    """

    period: Span
    is_over: bool
    as_of: datetime
    currency: str
    totals: SalesTotals
    group_by: GroupBy
    revenue_of_groups: Literal["orders", "lines"]
    groups: list[SalesGroup]
    has_more: bool
    previous_period: Span | None
    previous: SalesTotals | None
    differences: dict[str, Difference]

    @classmethod
    def of(cls, sales: SalesFigures) -> Self:
        return cls(
            period=Span.of(sales.period),
            is_over=sales.is_over,
            as_of=sales.as_of,
            currency=sales.currency,
            totals=sales.totals,
            group_by=sales.group_by,
            revenue_of_groups="orders" if sales.group_by in BY_TIME else "lines",
            groups=sales.groups,
            has_more=sales.has_more,
            previous_period=Span.of(sales.period.previous()) if sales.previous else None,
            previous=sales.previous,
            differences=sales.differences(),
        )

    def text(self) -> str:
        return "\n".join([*self._summary(), *self._comparison(), *self._groups()])

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
                "Against the period before ({first} to {last}): revenue {revenue}, orders {orders}, units {units}"
            ).format(
                **self.previous_period.days(),
                revenue=_signed(self.differences["revenue_minor"]),
                orders=_signed(self.differences["orders"]),
                units=_signed(self.differences["units"]),
            )
        ]

    def _groups(self) -> list[str]:
        shown = self.groups[-MOST_LINES:] if self.group_by in BY_TIME else self.groups
        left_out = len(self.groups) - len(shown)
        lines = [
            _("- {name}: {revenue}, orders {orders}, units {units}").format(
                name=_label(each, self.group_by),
                revenue=self._money(each.revenue_minor),
                orders=formats.number(each.orders),
                units=formats.number(each.units),
            )
            for each in shown
        ]
        if self.revenue_of_groups == "lines" and lines:
            lines.insert(0, _("Revenue of the lines, before discounts of orders:"))
        if left_out:
            lines.insert(0, _("({count} earlier groups are in the structured content.)").format(count=left_out))
        if self.has_more:
            lines.append(_("There are more: call again with a higher limit."))
        return lines

    def _money(self, minor: int) -> str:
        return formats.money(minor, self.currency)


def _label(group: SalesGroup, group_by: GroupBy) -> str:
    if group_by is GroupBy.DAY:
        return formats.day(date.fromisoformat(group.key))
    if group_by is GroupBy.CATEGORY:
        return formats.short(group.key) or _("(no category)")
    return formats.short(f"{group.key} {group.name}".strip(), columns=32)


def _signed(difference: Difference) -> str:
    if difference.percent is None:
        return _("nothing before") if difference.absolute else "0"
    sign = "+" if difference.percent > 0 else ""
    return sign + formats.percent(difference.percent / 100)


@tool(scope=Scope.REPORTS_READ, title="Sales statistics", read_only=True)
def get_sales_statistics(
    period: PeriodName = "last_30_days",
    group_by: Annotated[GroupBy, Field(description="What sales are added up by.")] = GroupBy.DAY,
    compare: Annotated[bool, Field(description="Whether to compare with the period just before.")] = True,
    limit: Annotated[Limit, Field(description="How many categories or products, by revenue.")] = 20,
) -> SalesAnswer:
    """Add up this tenant's sales in a period: orders, units, revenue, discounts and refunds, in groups.

    For the orders themselves call list_orders; for what stands out call get_business_insights; for stock
    call get_product_stats.
    """
    return SalesAnswer.of(statistics.sales(periods.parse(period), group_by=group_by, compare=compare, limit=limit))
