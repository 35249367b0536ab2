"""Whom to write to."""

from __future__ import annotations

from typing import Annotated

from django.utils.translation import gettext_lazy as _
from mcp_types import PromptMessage

from core.mcp_tools.tools.orders import OrderPage
from core.scopes import Scope
from core.services import orders, suggestions
from mcp_server.declare import messages
from mcp_server.declare.arguments import Argument
from mcp_server.declare.prompts import prompt

MAX_ORDERS = 20
MAX_LINKS = 5


@prompt(
    title=_("Customer follow-up"),
    description=_("Which customers should hear from us about an order, with drafts of the messages."),
    scope=Scope.ORDERS_READ,
)
def customer_follow_up(
    customer: Annotated[str, Argument(_("Only this customer, by e-mail address."), suggestions.customers)] = "",
    period: Annotated[
        str,
        Argument(
            _("Orders of a period, such as 2026-11 or last_month. The default is last_30_days."),
            suggestions.period_names,
        ),
    ] = "",
) -> list[PromptMessage]:
    found = orders.page(customer_email=customer, period=period or "last_30_days", limit=MAX_ORDERS, cursor=None)
    return [
        messages.request(
            _("Say which customers should hear from us about their orders, and draft a short message to each."),
            _("Look for orders that are placed and not paid, paid and not shipped, or cancelled."),
            _("Call get_order for the lines of an order before you write about it."),
            _("Write in the customer's language, as far as you know it. Send nothing: I will read the drafts first."),
        ),
        messages.figures(OrderPage.of(found)),
        *(messages.reading("order://{number}", number=str(row.order.number)) for row in found.rows[:MAX_LINKS]),
    ]
