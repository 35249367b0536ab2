"""Reports: numbers, and a chart of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated

from django.utils.translation import gettext_lazy as _

from core import charts, formats, periods
from core.charts import Bar
from core.mcp_tools.tools.statistics import SalesAnswer
from core.models import Order
from core.periods import Period
from core.scopes import Scope
from core.services import statistics, suggestions
from core.services.statistics import GroupBy, SalesFigures, SalesGroup
from mcp_server.declare.arguments import Argument
from mcp_server.declare.resources import Content, Row, resource

SVG = "image/svg+xml"
# A chart has a bar for each: up to a quarter's days, up to two years' weeks.
MAX_DAYS, MAX_WEEKS = 92, 105


def rows_of_sales(period: str) -> Iterable[Row]:
    periods.parse(period)
    return [(Order._meta.db_table, None)]


@resource(
    "report://sales/{period}",
    title=_("Sales report"),
    description=_("The sales of a period compared with the period before: the figures, and a chart of the revenue."),
    scope=Scope.REPORTS_READ,
    rows=rows_of_sales,
)
def sales(
    period: Annotated[str, Argument(_("A period, such as last_month or 2026-11."), suggestions.period_names)],
) -> list[Content]:
    parsed = periods.parse(period)
    figures = statistics.sales(parsed, group_by=_group_by(parsed))
    return [Content.of(SalesAnswer.of(figures)), Content(_chart(figures), SVG)]


def _group_by(period: Period) -> GroupBy:
    if period.days <= MAX_DAYS:
        return GroupBy.DAY
    return GroupBy.WEEK if period.days <= MAX_WEEKS * 7 else GroupBy.MONTH


def _chart(figures: SalesFigures) -> str:
    title = _("Revenue from {first} to {last} ({zone})").format(
        first=formats.day(figures.period.first_day),
        last=formats.day(figures.period.last_day),
        zone=figures.period.zone,
    )
    return charts.bars(title, [_bar(group, figures) for group in figures.groups])


def _bar(group: SalesGroup, figures: SalesFigures) -> Bar:
    is_day = figures.group_by is GroupBy.DAY
    label = formats.day(date.fromisoformat(group.key)) if is_day else group.key
    return Bar(label, group.revenue_minor, formats.money(group.revenue_minor, figures.currency))
