"""Prompts that begin with sales: the morning's briefing and the end of a month."""

from __future__ import annotations

from typing import Annotated

from django.utils.translation import gettext_lazy as _
from mcp_types import PromptMessage

from core import periods
from core.mcp_tools.tools.periods import Span
from core.mcp_tools.tools.statistics import SalesAnswer
from core.scopes import Scope
from core.services import statistics, suggestions
from core.services.statistics import GroupBy
from mcp_server.declare import messages
from mcp_server.declare.arguments import Argument
from mcp_server.declare.prompts import prompt


@prompt(
    title=_("Daily briefing"),
    description=_("What happened yesterday, and what to do today."),
    scope=Scope.REPORTS_READ,
)
def daily_briefing() -> list[PromptMessage]:
    yesterday = statistics.sales(periods.parse("yesterday"))
    return [
        messages.request(
            _("Give me a short briefing for today: what happened yesterday, and what I have to do first."),
            _("Before you write it, call these tools, in this order:"),
            _("1. list_orders with status=paid: orders that are paid and not shipped yet."),
            _("2. list_orders with status=placed: orders that are waiting for payment."),
            _("3. get_inventory with low_only=true: products to reorder."),
            _("4. get_business_insights with period=last_7_days: unusual days and orders."),
            _("Write at most ten lines. Change nothing without asking me."),
        ),
        messages.figures(SalesAnswer.of(yesterday)),
        messages.reading("report://sales/{period}", period="this_month"),
    ]


@prompt(
    title=_("Month-end report"),
    description=_("The sales of a month, where they came from, and what is still unpaid."),
    scope=Scope.REPORTS_READ,
)
def month_end_report(
    month: Annotated[
        str, Argument(_("A month, such as 2026-11 or last_month. The default is last_month."), suggestions.months)
    ] = "",
) -> list[PromptMessage]:
    period = periods.parse(month or "last_month")
    weeks = statistics.sales(period, group_by=GroupBy.WEEK)
    products = statistics.sales(period, group_by=GroupBy.PRODUCT, compare=False, limit=10)
    return [
        messages.request(
            _("Write the month-end report for {first} to {last}.").format(**Span.of(period).days()),
            _("Begin with the revenue compared with the month before, then the best products, discounts and refunds."),
            _("Call list_orders with status=placed: name what is still to be paid."),
            _("Call get_product_stats: end with the value of the stock."),
            _("Name the period of each figure. Where a figure is missing, say so."),
        ),
        messages.figures(SalesAnswer.of(weeks), SalesAnswer.of(products)),
        messages.reading("report://sales/{period}", period=period.name),
    ]
