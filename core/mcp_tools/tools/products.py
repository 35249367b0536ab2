"""Products: finding them, and what is on offer."""

from __future__ import annotations

from typing import Annotated, Any, Self

from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from core import formats
from core.mcp_tools import listing
from core.mcp_tools.units import Amount, Priced, both_ways
from core.models import MovementReason, Product, StockMovement
from core.scopes import Scope
from core.services import products
from core.services import stock as ledger
from core.services.products import Listed, StockLevel
from mcp_server.call.signature import Cursor, Limit
from mcp_server.call.units import Dated, Moment
from mcp_server.declare.tools import Answer, tool
from mcp_server.pages import Page

Sku = Annotated[
    str,
    Field(min_length=1, max_length=64, description="The product's sku."),
]


class ProductSummary(Priced):
    """A product, in a list."""

    sku: str
    name: str
    category: str
    price: str
    price_minor: int
    stock: int
    is_low: bool
    is_active: bool

    @classmethod
    def of(cls, product: Product | Listed, **more: Any) -> Self:
        return cls(
            sku=product.sku,
            name=product.name,
            category=product.category,
            **both_ways(product.currency, price=product.price_minor),
            currency=product.currency,
            stock=product.stock,
            is_low=product.stock <= product.reorder_level,
            is_active=product.is_active,
            **more,
        )


class ProductLines:
    """Writes products, each on a line, in the caller's language."""

    def __init__(self) -> None:
        self._writer = formats.writer()
        self._in_stock = _("- {sku} {name}: {price}, {stock} in stock")
        self._low = _("- {sku} {name}: {price}, {stock} in stock (low)")
        self._not_for_sale = _("- {sku} {name}: {price}, not for sale")

    def of(self, product: ProductSummary) -> str:
        """The product on a line."""
        template = self._not_for_sale if not product.is_active else self._low if product.is_low else self._in_stock
        category = f" ({formats.short(product.category, columns=24)})" if product.category else ""
        return listing.line(
            template,
            name=product.name,
            sku=f"{product.sku}{category}",
            price=self._writer.money(product.price_minor, product.currency),
            stock=self._writer.number(product.stock),
        )


class ProductPage(Answer):
    """Some products of a list; `next_cursor` asks for those after them."""

    products: list[ProductSummary]
    has_more: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Listed]) -> Self:
        rows = [ProductSummary.of(product) for product in page.rows]
        return cls(products=rows, has_more=page.has_more, next_cursor=page.cursor)

    def text(self) -> str:
        if not self.products:
            return _("No products match these filters. Call get_tenant_products with fewer filters, or create_product.")
        lines = map(ProductLines().of, self.products)
        return "\n".join([_("Products:"), *lines, *listing.more(self.next_cursor)])


class Movement(BaseModel):
    """Units that came or went."""

    at: Moment
    quantity: int
    stock_after: int
    reason: MovementReason
    note: str
    order_number: int | None
    actor: str

    @classmethod
    def of(cls, movement: StockMovement) -> Self:
        return cls(
            at=movement.created_at,
            quantity=movement.quantity,
            stock_after=movement.stock_after,
            reason=MovementReason(movement.reason),
            note=movement.note,
            order_number=movement.order.number if movement.order else None,
            actor=movement.actor,
        )

    def line(self) -> str:
        """The movement, in the caller's language."""
        words = _("- {at}: {quantity} ({reason}), {stock} after it, by {actor}").format(
            at=formats.moment(self.at),
            quantity=f"{self.quantity:+d}",
            reason=self.reason.label,
            stock=formats.number(self.stock_after),
            actor=self.actor,
        )
        order = [] if self.order_number is None else [_("order {number}").format(number=self.order_number)]
        return _(", ").join([words, *order, *([self.note] if self.note else [])])


class ProductAnswer(ProductSummary, Dated, Answer):
    """A product with its last movements."""

    description: str
    reorder_level: int
    created_at: Moment
    movements: list[Movement]

    def text(self) -> str:
        lines = [
            f"{self.sku} {self.name}",
            _("- Price: {price}").format(price=formats.money(self.price_minor, self.currency)),
            _("- In stock: {stock}, reorder level {level}").format(
                stock=formats.number(self.stock), level=formats.number(self.reorder_level)
            ),
            _("- For sale: {answer}").format(answer=_("yes") if self.is_active else _("no")),
        ]
        if self.is_low:
            lines[2] += _(" (low)")
        if self.category:
            lines.append(_("- Category: {category}").format(category=self.category))
        if self.description:
            lines.append(_("- Description: {description}").format(description=self.description))
        lines.append(_("- Created: {moment}").format(moment=formats.moment(self.created_at)))
        if self.movements:
            lines += [_("Latest stock movements:"), *(movement.line() for movement in self.movements)]
        return "\n".join(lines)


@tool(scope=Scope.PRODUCTS_READ, title="Find products", read_only=True)
def get_tenant_products(
    search: Annotated[
        str, Field(max_length=200, description="Words of name, sku or category, or their beginnings.")
    ] = "",
    category: Annotated[
        str | None, Field(min_length=1, max_length=100, description="The category's exact name.")
    ] = None,
    is_active: Annotated[bool | None, Field(description="True: for sale; false: no longer for sale.")] = None,
    min_price: Annotated[Amount | None, Field(description='Lowest price, such as "480" or "19.99".')] = None,
    max_price: Annotated[Amount | None, Field(description="Highest price.")] = None,
    stock: Annotated[StockLevel, Field(description="Stock level; low is at the reorder level or below.")] = (
        StockLevel.ALL
    ),
    limit: Limit = 20,
    cursor: Cursor = None,
) -> ProductPage:
    """List or search this tenant's products, newest first. For one product with its stock movements call get_product;
    for products to reorder call get_inventory; for totals call get_product_stats."""
    return ProductPage.of(
        products.page(
            limit=limit,
            cursor=cursor,
            search=search,
            category=category,
            is_active=is_active,
            min_price=min_price,
            max_price=max_price,
            stock=stock,
        )
    )


@tool(scope=Scope.PRODUCTS_READ, title="Get a product", read_only=True)
def get_product(sku: Sku) -> ProductAnswer:
    """Show one product with its latest 5 stock movements. To find its sku call get_tenant_products."""
    product = products.get(sku)
    return ProductAnswer.of(
        product,
        description=product.description,
        reorder_level=product.reorder_level,
        created_at=product.created_at,
        movements=[Movement.of(movement) for movement in ledger.recent(product, limit=5)],
    )
