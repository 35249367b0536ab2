"""Orders: finding them, and seeing one."""

from __future__ import annotations

from typing import Annotated, Self

from django.utils.translation import gettext as _
from pydantic import Field

from core.mcp_tools import listing
from core.mcp_tools.order_shapes import FullOrder, OrderSummary, SummaryLines
from core.models import OrderStatus
from core.scopes import Scope
from core.services import orders
from core.services.drafts import MAX_LINES
from core.services.orders import OrderRows
from mcp_server.call.signature import Cursor, Limit
from mcp_server.call.units import Dated
from mcp_server.declare.tools import Answer, tool

Number = Annotated[int, Field(ge=1, le=2**31 - 1, description="The order's number; list_orders shows it.")]


class OrderPage(Dated, Answer):
    """Some orders of a list; `next_cursor` asks for those after them."""

    orders: list[OrderSummary]
    has_more: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: OrderRows) -> Self:
        rows = [OrderSummary.of(row.order, line_count=row.lines, unit_count=row.units) for row in page.rows]
        return cls(orders=rows, has_more=page.cursor is not None, next_cursor=page.cursor)

    def text(self) -> str:
        if not self.orders:
            return _("No orders match these filters. Call list_orders with fewer filters.")
        return "\n".join([_("Orders:"), *map(SummaryLines().of, self.orders), *listing.more(self.next_cursor)])


class OrderAnswer(FullOrder, Answer):
    """One order."""

    def text(self) -> str:
        return self.words()


@tool(scope=Scope.ORDERS_READ, title="Find orders", read_only=True)
def list_orders(
    status: Annotated[OrderStatus | None, Field(description="The order's status.")] = None,
    customer: Annotated[
        str, Field(max_length=254, description="The customer's e-mail address, in whatever case and form.")
    ] = "",
    period: Annotated[
        str,
        Field(
            max_length=40,
            description="When the order was placed, or a draft created, such as last_30_days or 2026-11.",
        ),
    ] = "",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> OrderPage:
    """List this tenant's orders, newest first: by when they were placed, drafts by when they were created.

    For one order with its lines and payments call get_order; for revenue and other totals call get_sales_statistics.
    """
    return OrderPage.of(orders.page(status=status, customer_email=customer, period=period, limit=limit, cursor=cursor))


@tool(scope=Scope.ORDERS_READ, title="Get an order", read_only=True)
def get_order(
    number: Number,
    first_line: Annotated[int, Field(ge=1, le=MAX_LINES, description="The next_line of the previous answer.")] = 1,
) -> OrderAnswer:
    """Show one order with its lines, customer, payments and possible next statuses. To find its number call
    list_orders."""
    return OrderAnswer.in_full(orders.get(number), first_line=first_line)
