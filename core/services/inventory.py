"""What is on hand, and what has to be ordered again."""

from __future__ import annotations

from enum import StrEnum

from django.db import transaction
from django.utils.translation import gettext as _

from core.models import MovementReason, StockMovement
from core.services import products, settings, stock
from core.services.products import Listed
from mcp_server import pages
from mcp_server.errors import Refusal
from mcp_server.pages import Page

LOWEST_FIRST = ("headroom", "id")


class AdjustmentInvalid(Refusal):
    """The stock can't be changed by this quantity for this reason."""


class AdjustmentReason(StrEnum):
    """Why a person changes stock. An opening stock comes with its product, a sale with its order."""

    PURCHASE = MovementReason.PURCHASE.value
    RETURN = MovementReason.RETURN.value
    DAMAGE = MovementReason.DAMAGE.value
    COUNT = MovementReason.COUNT.value


def page(*, limit: int, cursor: str | None, low_only: bool = False, include_inactive: bool = False) -> Page[Listed]:
    """A page of products, those first that have the fewest units above their reorder level. Raises InvalidCursor."""
    found = products.listed()
    if low_only:
        found = found.filter(headroom__lte=0)
    if not include_inactive:
        found = found.filter(is_active=True)
    filters = {"list": "inventory", "low_only": low_only, "include_inactive": include_inactive}
    return pages.page(found, order=LOWEST_FIRST, limit=limit, cursor=cursor, of=filters)


def adjust(sku: str, quantity: int, *, reason: AdjustmentReason, actor: str, note: str = "") -> StockMovement:
    """Move units of a product: in where `quantity` is positive, out where it is negative.

    A person is asked where they are more than the tenant's cap. Raises AdjustmentInvalid, ProductNotFound, OutOfStock
    and TooMuchStock.
    """
    _check(quantity, reason)
    with transaction.atomic(savepoint=False):
        product = products.get(sku)
        stock.ask_above_cap(product.sku, quantity, cap=settings.get().max_stock_change)
        [movement] = stock.move({product: quantity}, reason=MovementReason(reason), actor=actor, note=note)
    return movement


def _check(quantity: int, reason: AdjustmentReason) -> None:
    if quantity == 0:
        raise AdjustmentInvalid(_("A quantity of 0 changes nothing. Call get_product to see the stock."))
    if reason is AdjustmentReason.PURCHASE and quantity < 0:
        raise AdjustmentInvalid(
            _(
                "A purchase adds units, so its quantity must be positive. For units that go back to a supplier "
                "use reason=return."
            )
        )
    if reason is AdjustmentReason.DAMAGE and quantity > 0:
        raise AdjustmentInvalid(
            _(
                "Damage and loss remove units, so the quantity must be negative. For units that were found "
                "again use reason=count."
            )
        )
