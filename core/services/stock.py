"""Stock on hand: the one place where it changes, always together with a movement of the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from core import formats
from core.models import MovementReason, Order, Product, StockMovement
from mcp_server import approval
from mcp_server.errors import Refusal

MAX_STOCK = 2_147_483_647  # PostgreSQL's integer


class OutOfStock(Refusal):
    """The product has fewer units than are needed."""


class TooMuchStock(Refusal):
    """The product would have more units than MAX_STOCK."""


def ask_above_cap(sku: str, quantity: int, *, cap: int) -> None:
    """Ask a person where more units move at once than the tenant lets an assistant move."""
    if abs(quantity) > cap:
        approval.ask(
            _(
                "Change the stock of {sku} by {quantity} units? An assistant may change it by up to {cap} "
                "units without asking."
            ).format(sku=sku, quantity=formats.number(quantity), cap=formats.number(cap))
        )


def lock(product_ids: Iterable[UUID]) -> dict[UUID, Product]:
    """These products, locked until the transaction ends, in the one order that can't deadlock."""
    return {
        product.id: product for product in Product.objects.select_for_update().filter(id__in=product_ids).order_by("id")
    }


def move(
    product: Product, quantity: int, *, reason: MovementReason, actor: str, order: Order | None = None, note: str = ""
) -> StockMovement:
    """Move units of a locked product: in where `quantity` is positive, out where it is negative.

    Needs a transaction in which `lock` gave the product. Raises OutOfStock and TooMuchStock.
    """
    after = product.stock + quantity
    if after < 0:
        raise OutOfStock(
            _("{sku} has {stock} units in stock, but {wanted} are needed. Call get_product to see it.").format(
                sku=product.sku, stock=formats.number(product.stock), wanted=formats.number(-quantity)
            )
        )
    if after > MAX_STOCK:
        raise TooMuchStock(
            _("A product can have at most {most} units in stock.").format(most=formats.number(MAX_STOCK))
        )
    product.stock = after
    product.save(update_fields=["stock"])
    return StockMovement.objects.create(
        product=product, quantity=quantity, stock_after=after, reason=reason, actor=actor, order=order, note=note
    )


def recent(product: Product, *, limit: int) -> list[StockMovement]:
    """The latest stock movements of a product, newest first, with their orders."""
    return list(_movements().filter(product=product)[:limit])


@cache
def _movements() -> QuerySet[StockMovement]:
    """Newest first, with the columns that are shown. Made once, and copied by whatever filters it."""
    columns = ("created_at", "quantity", "stock_after", "reason", "note", "actor", "order__number")
    return StockMovement.objects.select_related("order").only(*columns).order_by("-created_at", "-id")
