"""Products: what a shop keeper changes of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from django.utils.translation import gettext as _
from pydantic import Field

from core import formats
from core.mcp_tools import subjects, value_changes
from core.mcp_tools.tools.products import ProductLines, ProductSummary, Sku
from core.mcp_tools.units import Amount
from core.scopes import Scope
from core.services import product_changes
from core.services.field_changes import FieldChange
from core.services.product_changes import ProductChange
from core.services.stock import MAX_STOCK
from mcp_server.declare.tools import Change, ValueChange, tool
from mcp_server.http.context import current_principal

Name = Annotated[str, Field(min_length=1, max_length=200, description="The product's name for people.")]
Description = Annotated[str, Field(max_length=5000, description="The description for customers.")]
Category = Annotated[str, Field(max_length=100, description="An existing category, or a new one.")]
PRICE = Field(description='Price in the shop\'s currency, such as "480" or "19.99".')
ReorderLevel = Annotated[int, Field(ge=0, le=MAX_STOCK, description="Stock is low at this many units or fewer.")]


class Emptied(StrEnum):
    """What a product can be without. An empty text says nothing about it: that is what was not given."""

    DESCRIPTION = "description"
    CATEGORY = "category"


class ProductCreated(ProductSummary, Change):
    """A new product."""

    reorder_level: int

    def subject(self) -> str:
        return subjects.of_product(self.sku)

    def text(self) -> str:
        lines = [
            _("Created the product {sku} {name}: {price}, {stock} in stock.").format(
                sku=self.sku,
                name=self.name,
                price=formats.money(self.price_minor, self.currency),
                stock=formats.number(self.stock),
            ),
            _("- Reorder level: {level}").format(level=formats.number(self.reorder_level)),
        ]
        if self.category:
            lines.append(_("- Category: {category}").format(category=self.category))
        return "\n".join(lines)


class ProductChanged(Change):
    """A product, and what of it has changed; a price both as a decimal text and in the minor unit."""

    product: ProductSummary
    changes: list[FieldChange]

    @classmethod
    def of(cls, change: ProductChange) -> Self:
        kept = value_changes.kept(change.changes, change.product.currency)
        changes = [FieldChange(each.field, each.before, each.after) for each in kept]
        return cls(product=ProductSummary.of(change.product), changes=changes)

    def subject(self) -> str:
        return subjects.of_product(self.product.sku)

    def has_changed(self) -> bool:
        return bool(self.changes)

    def value_changes(self) -> list[ValueChange]:
        return value_changes.kept((each for each in self.changes if each.field != "price"), self.product.currency)

    def text(self) -> str:
        who = {"sku": self.product.sku, "name": self.product.name}
        if not self.changes:
            return _("{sku} {name} already has these values; nothing was changed.").format(**who)
        changes = value_changes.lines(self.value_changes())
        return "\n".join(
            [_("{sku} {name} has changed:").format(**who), *changes, _("It is now:"), ProductLines().of(self.product)]
        )


@tool(scope=Scope.PRODUCTS_WRITE, title="Create a product", read_only=False, asks=True)
def create_product(
    sku: Annotated[str, Field(min_length=1, max_length=64, description="Identifies the product; unique in the shop.")],
    name: Name,
    price: Annotated[Amount, PRICE],
    description: Description = "",
    category: Category = "",
    opening_stock: Annotated[int, Field(ge=0, le=MAX_STOCK, description="Units on hand at the beginning.")] = 0,
    reorder_level: Annotated[
        ReorderLevel | None, Field(description="Default: low_stock_threshold of the settings.")
    ] = None,
) -> ProductCreated:
    """Create a product, priced in the shop's currency. To change a product call update_product; to change its stock
    call adjust_stock."""
    product = product_changes.create(
        sku=sku,
        name=name,
        price=price,
        actor=current_principal().actor,
        description=description,
        category=category,
        opening_stock=opening_stock,
        reorder_level=reorder_level,
    )
    return ProductCreated.of(product, reorder_level=product.reorder_level)


@tool(
    scope=Scope.PRODUCTS_WRITE,
    title="Change a product",
    read_only=False,
    destructive=True,
    idempotent=True,
    asks=True,
)
def update_product(
    sku: Sku,
    name: Name | None = None,
    description: Description | None = None,
    category: Category | None = None,
    price: Annotated[Amount | None, PRICE] = None,
    reorder_level: ReorderLevel | None = None,
    clear: Annotated[list[Emptied] | None, Field(max_length=2, description="Fields to empty.")] = None,
) -> ProductChanged:
    """Change a product's name, description, category, price or reorder level; fields that are not given stay. For its
    stock call adjust_stock, to take it off sale set_product_active. Existing orders keep their prices."""
    return ProductChanged.of(
        product_changes.update(
            sku,
            name=name,
            description="" if Emptied.DESCRIPTION in (clear or ()) else description,
            category="" if Emptied.CATEGORY in (clear or ()) else category,
            price=price,
            reorder_level=reorder_level,
        )
    )


@tool(
    scope=Scope.PRODUCTS_WRITE,
    title="Put a product on or off sale",
    read_only=False,
    destructive=True,
    idempotent=True,
    asks=True,
)
def set_product_active(
    sku: Sku, is_active: Annotated[bool, Field(description="False: the product can't be sold.")]
) -> ProductChanged:
    """Put a product on sale, or take it off sale; nothing is deleted. For its other fields call update_product."""
    return ProductChanged.of(product_changes.set_active(sku, is_active=is_active))
