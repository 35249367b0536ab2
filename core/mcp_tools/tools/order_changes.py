"""Orders: taking one, and bringing it on its way."""

from __future__ import annotations

from typing import Annotated

from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field

from core import formats
from core.mcp_tools import subjects
from core.mcp_tools.order_shapes import FullOrder
from core.mcp_tools.tools.orders import Number
from core.mcp_tools.tools.products import Sku
from core.mcp_tools.units import Amount, both_ways
from core.models import OrderStatus, PaymentMethod
from core.scopes import Scope
from core.services import drafts, fulfilment
from core.services.drafts import MAX_UNITS, NO_DISCOUNT, Wanted
from core.services.fulfilment import Step
from mcp_server.declare.tools import Change, ValueChange, tool
from mcp_server.http.context import current_principal

Units = Annotated[int, Field(ge=1, le=MAX_UNITS, description="Number of units.")]


# An order takes these steps one after the other.
STATUSES_BEFORE = {Step.PAID: OrderStatus.PLACED, Step.SHIPPED: OrderStatus.PAID, Step.DELIVERED: OrderStatus.SHIPPED}


class Item(BaseModel):
    """So many units of a product."""

    model_config = ConfigDict(extra="forbid")

    sku: Sku
    quantity: Units


class OrderChange(FullOrder, Change):
    """The order as it is after the change; `was` is the status that it had before, where that is another one."""

    was: OrderStatus | None = Field(default=None, exclude=True)

    def text(self) -> str:
        return self.words()

    def subject(self) -> str:
        return subjects.of_order(self.number)

    def value_changes(self) -> list[ValueChange]:
        return [] if self.was is None else [ValueChange("status", self.was.value, self.status.value)]


class OrderCancelled(OrderChange):
    """The cancelled order; `returned_units` are back in stock, `refund` is to go back to the customer."""

    returned_units: int
    refund: str
    refund_minor: int

    def text(self) -> str:
        what = _("Back in stock: {units} units. Refunded: {refund}.").format(
            units=formats.number(self.returned_units), refund=formats.money(self.refund_minor, self.currency)
        )
        return f"{self.words()}\n{what}"


@tool(scope=Scope.ORDERS_WRITE, title="Create an order", read_only=False, asks=True)
def create_order(
    items: Annotated[
        list[Item], Field(min_length=1, max_length=50, description="The products to order, with their quantities.")
    ],
    customer_email: Annotated[
        str,
        Field(max_length=254, description="Finds the customer or creates one; empty for a walk-in."),
    ] = "",
    customer_name: Annotated[
        str, Field(max_length=200, description="Name of a new customer; an existing one keeps its name.")
    ] = "",
    discount: Annotated[
        Amount, Field(description='Discount on the whole order, in its currency, such as "50" or "1.50".')
    ] = NO_DISCOUNT,
    note: Annotated[str, Field(max_length=1000, description="A note for the people who handle the order.")] = "",
) -> OrderChange:
    """Create a draft order at today's prices; a draft takes nothing from stock. Then call place_order to sell it, or
    add_order_item to add products. To find skus call get_tenant_products."""
    created = drafts.create(
        items=[Wanted(item.sku, item.quantity) for item in items],
        customer_email=customer_email,
        customer_name=customer_name,
        discount=discount,
        note=note,
    )
    return OrderChange.in_full(created)


@tool(scope=Scope.ORDERS_WRITE, title="Add to an order", read_only=False)
def add_order_item(number: Number, sku: Sku, quantity: Units) -> OrderChange:
    """Add units of a product to a draft order; if the order contains the product already, its price stays. An order
    that is placed can't be added to: call create_order instead."""
    return OrderChange.in_full(drafts.add_item(number, Wanted(sku, quantity)))


@tool(scope=Scope.ORDERS_WRITE, title="Place an order", read_only=False, asks=True)
def place_order(number: Number) -> OrderChange:
    """Place a draft order: its units leave the stock. To create a draft call create_order; when the order is paid call
    update_order_status."""
    return OrderChange.in_full(fulfilment.place(number, actor=current_principal().actor), was=OrderStatus.DRAFT)


@tool(scope=Scope.ORDERS_WRITE, title="Update an order's status", read_only=False)
def update_order_status(
    number: Number,
    status: Annotated[Step, Field(description="A placed order becomes paid, then shipped, then delivered.")],
    payment_method: Annotated[
        PaymentMethod | None, Field(description="How the order was paid; only with status=paid.")
    ] = None,
) -> OrderChange:
    """Record that a placed order was paid, shipped or delivered. To place a draft call place_order; to cancel call
    cancel_order."""
    actor = current_principal().actor
    advanced = fulfilment.advance(number, status, actor=actor, method=payment_method)
    return OrderChange.in_full(advanced, was=STATUSES_BEFORE[status])


@tool(scope=Scope.ORDERS_WRITE, title="Cancel an order", read_only=False, destructive=True, asks=True)
def cancel_order(
    number: Number,
    reason: Annotated[
        str, Field(min_length=1, max_length=200, description="Why it is cancelled; kept with the stock movements.")
    ],
) -> OrderCancelled:
    """Cancel an order that is not shipped: its units return to stock, and payments are refunded. To see both call
    get_order first."""
    cancelled = fulfilment.cancel(number, reason=reason, actor=current_principal().actor)
    refund = both_ways(cancelled.details.order.currency, refund=cancelled.refund_minor)
    return OrderCancelled.in_full(cancelled.details, was=cancelled.was, returned_units=cancelled.units, **refund)
