"""Data to look at."""

from __future__ import annotations

from typing import Annotated, Self

from django.utils.translation import gettext as _
from pydantic import Field

from core.principals import Scope
from core.services import demo
from core.services.demo import DemoCounts
from mcp_server.registry import Change, tool


class DemoData(Change):
    """How many rows were added."""

    users: int
    products: int
    orders: int
    order_items: int

    @classmethod
    def of(cls, counts: DemoCounts) -> Self:
        return cls(users=counts.users, products=counts.products, orders=counts.orders, order_items=counts.order_items)

    def text(self) -> str:
        return _("Added {users} users, {products} products, {orders} orders with {order_items} lines.").format(
            **self.model_dump()
        )

    def subject(self) -> str:
        return "demo data"


@tool(scope=Scope.DEMO_WRITE, title="Create demo data", read_only=False)
def create_demo_data(
    orders: Annotated[int, Field(ge=1, le=100, description="How many orders to add.")] = 5,
    seed: Annotated[int, Field(ge=0, le=2**31, description="The same seed gives the same shop.")] = 1,
) -> DemoData:
    """Fill this tenant with users, products and orders to try things on. A second call only adds orders."""
    return DemoData.of(demo.create(orders=orders, seed=seed))
