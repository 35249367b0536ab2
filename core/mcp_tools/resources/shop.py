"""Products and orders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from django.utils.translation import gettext_lazy as _

from core.mcp_tools.tools.orders import get_order
from core.mcp_tools.tools.products import get_product
from core.models import Order, Product
from core.scopes import Scope
from core.services import orders, products, suggestions
from core.services.orders import OrderNotFound
from mcp_server.declare.arguments import Argument
from mcp_server.declare.resources import Content, Row, resource


def rows_of_product(sku: str) -> Iterable[Row]:
    return [(Product._meta.db_table, products.get(sku).id)]


@resource(
    "product://{sku}",
    title=_("Product"),
    description=_("A product with its latest stock movements: the same answer as get_product."),
    scope=Scope.PRODUCTS_READ,
    rows=rows_of_product,
)
def product(sku: Annotated[str, Argument(_("The sku of a product."), suggestions.skus)]) -> list[Content]:
    return [Content.of(get_product(sku))]


def rows_of_order(number: str) -> Iterable[Row]:
    return [(Order._meta.db_table, orders.get(_number(number)).order.id)]


@resource(
    "order://{number}",
    title=_("Order"),
    description=_("An order with its lines, customer and payments: the same answer as get_order."),
    scope=Scope.ORDERS_READ,
    rows=rows_of_order,
)
def order(number: Annotated[str, Argument(_("The number of an order."), suggestions.order_numbers)]) -> list[Content]:
    return [Content.of(get_order(_number(number)))]


def _number(text: str) -> int:
    """The number as it is written in one way only. Raises OrderNotFound for any other text."""
    if text.isascii() and text.isdigit() and len(text) <= 10 and text == str(int(text)) and int(text) < 2**31:
        return int(text)
    raise OrderNotFound(
        _("There is no order {number}. Call list_orders to see the numbers.").format(number=repr(text[:40]))
    )
