"""Stock on hand: the one place where it changes, always together with a movement of the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.utils.translation import gettext as _

from core.errors import DomainError
from core.models import MovementReason, Order, Product, StockMovement


class OutOfStock(DomainError):
    """There are fewer units than asked for."""


def lock(product_ids: Iterable[UUID]) -> dict[UUID, Product]:
    """These products, locked until the transaction ends, in the one order that can't deadlock."""
    return {
        product.id: product for product in Product.objects.select_for_update().filter(id__in=product_ids).order_by("id")
    }


def move(
    product: Product, quantity: int, *, reason: MovementReason, actor: str, order: Order | None = None, note: str = ""
) -> StockMovement:
    """Move units of a locked product: in where `quantity` is positive, out where it is negative.

    Needs a transaction in which `lock` gave the product. Raises OutOfStock.
    """
    after = product.stock + quantity
    if after < 0:
        raise OutOfStock(
            _("{sku} has {stock} in stock, and {wanted} are wanted. Call get_product to see it.").format(
                sku=product.sku, stock=product.stock, wanted=-quantity
            )
        )
    product.stock = after
    product.save(update_fields=["stock"])
    return StockMovement.objects.create(
        product=product, quantity=quantity, stock_after=after, reason=reason, actor=actor, order=order, note=note
    )
