"""What to order again."""

from __future__ import annotations

from typing import Annotated

from django.utils.translation import gettext_lazy as _
from mcp_types import PromptMessage

from core.mcp_tools.tools.products import ProductPage
from core.scopes import Scope
from core.services import products, suggestions
from core.services.products import StockLevel
from mcp_server.declare import messages
from mcp_server.declare.arguments import Argument
from mcp_server.declare.prompts import prompt

MAX_PRODUCTS = 20
MAX_LINKS = 5


@prompt(
    title=_("Restock plan"),
    description=_("Which products to reorder, how much of each, and by when."),
    scope=Scope.PRODUCTS_READ,
)
def restock_plan(
    category: Annotated[str, Argument(_("Only products of this category."), suggestions.categories)] = "",
) -> list[PromptMessage]:
    low = products.page(
        category=category or None, is_active=True, stock=StockLevel.LOW, limit=MAX_PRODUCTS, cursor=None
    )
    return [
        messages.request(
            _("Make a restock plan for the category {category}.").format(category=repr(category))
            if category
            else _("Make a restock plan."),
            _("Call get_business_insights with period=last_90_days: how fast products sell, and when they run out."),
            _("For each product say how many units to order so that it lasts a month, and why. Most urgent first."),
            _("When I say that goods have arrived, call adjust_stock with reason=purchase for each of them."),
        ),
        messages.figures(ProductPage.of(low) if low.rows else str(_("No product is at its reorder level or below."))),
        *(messages.reading("product://{sku}", sku=product.sku) for product in low.rows[:MAX_LINKS]),
    ]
