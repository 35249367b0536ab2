"""Stock on hand."""

from __future__ import annotations

from typing import Annotated, Self

from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from core import formats
from core.mcp_tools import listing, subjects
from core.mcp_tools.tools.products import Sku
from core.models import StockMovement
from core.scopes import Scope
from core.services import inventory
from core.services.inventory import AdjustmentReason
from core.services.products import Listed
from core.services.stock import MAX_STOCK
from mcp_server.call.signature import Cursor, Limit
from mcp_server.declare.tools import Answer, Change, ValueChange, tool
from mcp_server.http.context import current_principal
from mcp_server.pages import Page


class StockSummary(BaseModel):
    """What is on hand of a product."""

    sku: str
    name: str
    stock: int
    reorder_level: int
    is_low: bool
    is_active: bool

    @classmethod
    def of(cls, product: Listed) -> Self:
        return cls(
            sku=product.sku,
            name=product.name,
            stock=product.stock,
            reorder_level=product.reorder_level,
            is_low=product.stock <= product.reorder_level,
            is_active=product.is_active,
        )


class StockLines:
    """Writes what is on hand of products, each on a line, in the caller's language."""

    def __init__(self) -> None:
        self._writer = formats.writer()
        self._low = _("- {sku} {name}: {stock} in stock, LOW (reorder level {level})")
        self._enough = _("- {sku} {name}: {stock} in stock (reorder level {level})")

    def of(self, product: StockSummary) -> str:
        """The product on a line."""
        return listing.line(
            self._low if product.is_low else self._enough,
            name=product.name,
            sku=product.sku,
            stock=self._writer.number(product.stock),
            level=self._writer.number(product.reorder_level),
        )


class Inventory(Answer):
    """Products by what is on hand; `next_cursor` asks for those after them."""

    products: list[StockSummary]
    has_more: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Listed]) -> Self:
        rows = [StockSummary.of(product) for product in page.rows]
        return cls(products=rows, has_more=page.has_more, next_cursor=page.cursor)

    def text(self) -> str:
        if not self.products:
            return _("No products match these filters.")
        lines = map(StockLines().of, self.products)
        return "\n".join([_("Stock, the shortest first:"), *lines, *listing.more(self.next_cursor)])


class StockChange(Change):
    """Units that came or went, and what is on hand now."""

    sku: str
    name: str
    quantity: int
    stock_before: int
    stock_after: int
    reason: AdjustmentReason
    is_low: bool

    @classmethod
    def of(cls, movement: StockMovement) -> Self:
        return cls(
            sku=movement.product.sku,
            name=movement.product.name,
            quantity=movement.quantity,
            stock_before=movement.stock_after - movement.quantity,
            stock_after=movement.stock_after,
            reason=AdjustmentReason(movement.reason),
            is_low=movement.stock_after <= movement.product.reorder_level,
        )

    def subject(self) -> str:
        return subjects.of_product(self.sku)

    def value_changes(self) -> list[ValueChange]:
        return [ValueChange("stock", self.stock_before, self.stock_after)]

    def text(self) -> str:
        facts = {
            "sku": self.sku,
            "name": self.name,
            "before": formats.number(self.stock_before),
            "after": formats.number(self.stock_after),
        }
        if self.is_low:
            return _("{sku} {name}: {before} in stock before, {after} now. That is low.").format(**facts)
        return _("{sku} {name}: {before} in stock before, {after} now.").format(**facts)


@tool(scope=Scope.PRODUCTS_READ, title="Stock on hand", read_only=True)
def get_inventory(
    low_only: Annotated[bool, Field(description="True: only products at their reorder level or below.")] = False,
    include_inactive: Annotated[bool, Field(description="True: also products that are no longer for sale.")] = False,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Inventory:
    """List products by stock on hand, the shortest first. For one product's stock movements call get_product; to
    search by name, category or price call get_tenant_products."""
    return Inventory.of(
        inventory.page(limit=limit, cursor=cursor, low_only=low_only, include_inactive=include_inactive)
    )


@tool(scope=Scope.PRODUCTS_WRITE, title="Adjust stock", read_only=False, asks=True)
def adjust_stock(
    sku: Sku,
    quantity: Annotated[
        int,
        Field(
            ge=-MAX_STOCK,
            le=MAX_STOCK,
            description="Units that came in (positive) or went out (negative); not the new stock.",
        ),
    ],
    reason: Annotated[
        AdjustmentReason,
        Field(
            description="purchase: bought; damage: damaged or lost; count: corrected after counting; return: sent back."
        ),
    ],
    note: Annotated[str, Field(max_length=200, description="A note that is kept with the movement.")] = "",
) -> StockChange:
    """Record units of a product that came in or went out. For a sale call create_order and place_order, which record
    it themselves. To see the stock call get_product."""
    return StockChange.of(inventory.adjust(sku, quantity, reason=reason, actor=current_principal().actor, note=note))
