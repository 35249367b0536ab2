"""Data to look at."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Self

from django.utils.translation import gettext as _
from pydantic import Field

from core import formats
from core.scopes import Scope
from core.services import demo
from core.services.demo import DemoCounts, Size
from mcp_server.call import progress
from mcp_server.declare.tools import Change, tool
from mcp_server.http.context import current_principal


class DemoData(Change):
    """How many rows were added."""

    users: int
    products: int
    customers: int
    orders: int
    order_items: int
    movements: int
    payments: int

    @classmethod
    def of(cls, counts: DemoCounts) -> Self:
        return cls(**asdict(counts))

    def subject(self) -> str:
        return "demo data"

    def text(self) -> str:
        return _(
            "Added {users} users, {products} products, {customers} customers, {orders} orders with {order_items} "
            "lines, {movements} stock movements and {payments} payments."
        ).format(
            users=formats.number(self.users),
            products=formats.number(self.products),
            customers=formats.number(self.customers),
            orders=formats.number(self.orders),
            order_items=formats.number(self.order_items),
            movements=formats.number(self.movements),
            payments=formats.number(self.payments),
        )


@tool(scope=Scope.DEMO_WRITE, title="Create demo data", read_only=False)
def create_demo_data(
    size: Annotated[
        Size,
        Field(
            description="small: 8 products and 5 orders; medium: 200 and 1,000 over 90 days; "
            "large: 2,000 and 10,000 over a year."
        ),
    ] = Size.SMALL,
    orders: Annotated[
        int | None, Field(ge=1, le=100, description="How many orders to add, instead of what the size says.")
    ] = None,
    seed: Annotated[int, Field(ge=0, le=2**31, description="The same seed gives the same shop.")] = 1,
) -> DemoData:
    """Fill this tenant with an invented shop for trials: users, customers, products, stock, orders, payments.

    Use it only for a trial shop: no tool removes these data, and a shop that trades is refused. A second call only adds
    orders. For real data call create_product and create_order instead.
    """
    demo.require_trial_shop()
    counts = demo.create(
        size=size, orders=orders, seed=seed, actor=current_principal().actor, on_progress=progress.report
    )
    return DemoData.of(counts)
