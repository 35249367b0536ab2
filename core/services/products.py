"""Products of the open tenant context."""

from __future__ import annotations

import difflib
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypedDict, Unpack, cast
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from core import amounts
from core.models import Product
from core.services import search, settings
from core.services.querysets import made_once
from mcp_server import pages
from mcp_server.errors import Refusal
from mcp_server.pages import Page

NEWEST_FIRST = ("-created_at", "-id")


class Listed(NamedTuple):
    """A product as a row of a list: the columns that a list reads. A model would cost as much again as its reading."""

    id: UUID
    created_at: datetime
    sku: str
    name: str
    category: str
    price_minor: int
    currency: str
    stock: int
    reorder_level: int
    headroom: int
    is_active: bool


# What a filter takes and gives.
Rows = QuerySet[Product, Listed]


class ProductNotFound(Refusal):
    """No product has this sku."""


class CategoryNotFound(Refusal):
    """No product has this category."""


class StockLevel(StrEnum):
    """Products by stock on hand: `low` is at the reorder level or below, which includes `out`."""

    ALL = "all"
    IN_STOCK = "in_stock"
    LOW = "low"
    OUT = "out"


class Filters(TypedDict, total=False):
    """Filters of products; one that is missing or None filters nothing. Prices are in the currency's own unit."""

    search: str
    category: str | None
    is_active: bool | None
    min_price: Decimal | None
    max_price: Decimal | None
    stock: StockLevel


@made_once
def listed() -> Rows:
    """All products, newest first."""
    return cast(Rows, Product.objects.order_by(*NEWEST_FIRST).values_list(*Listed._fields, named=True))


def find(**filters: Unpack[Filters]) -> Rows:
    """Products, newest first. Raises NothingToSearchFor, AmountInvalid: the shop's currency has no such price."""
    search.require_words(filters.get("search", ""))
    products = listed()
    conditions = {
        "category": filters.get("category"),
        "is_active": filters.get("is_active"),
        **_prices(filters),
    }
    if given := {name: value for name, value in conditions.items() if value is not None}:
        products = products.filter(**given)
    products = _at_level(products, filters.get("stock", StockLevel.ALL))
    return search.matching(products, filters.get("search", ""))


def page(*, limit: int, cursor: str | None, **filters: Unpack[Filters]) -> Page[Listed]:
    """A page of products, newest first.

    Raises InvalidCursor, NothingToSearchFor, AmountInvalid, and CategoryNotFound where there is nothing to show
    because no product is of the category.
    """
    found = pages.page(
        find(**filters), order=NEWEST_FIRST, limit=limit, cursor=cursor, of={"list": "products", **filters}
    )
    category = filters.get("category")
    if category is not None and not found.rows:
        _require_category(category)
    return found


def get(sku: str) -> Product:
    """The product with this sku. Raises ProductNotFound, which names the most similar sku."""
    return _with_sku(Product.objects.all(), sku)


def lock(sku: str) -> Product:
    """The same, locked until the transaction ends."""
    return _with_sku(Product.objects.select_for_update(no_key=True), sku)


def _at_level(products: Rows, level: StockLevel) -> Rows:
    match level:
        case StockLevel.ALL:
            return products
        case StockLevel.IN_STOCK:
            return products.filter(stock__gt=0)
        case StockLevel.LOW:
            return products.filter(headroom__lte=0)
        case StockLevel.OUT:
            return products.filter(stock=0)


def _prices(filters: Filters) -> dict[str, int]:
    """The conditions on the price, in the minor unit; without one the currency is not asked for."""
    wanted = {"price_minor__gte": filters.get("min_price"), "price_minor__lte": filters.get("max_price")}
    given = {name: amount for name, amount in wanted.items() if amount is not None}
    currency = settings.get().currency if given else ""
    return {name: amounts.minor(amount, currency) for name, amount in given.items()}


def _require_category(category: str) -> None:
    categories = list(
        Product.objects.exclude(category="").values_list("category", flat=True).distinct().order_by("category")[:20]
    )
    if category not in categories and not Product.objects.filter(category=category).exists():
        raise CategoryNotFound(
            _(
                "There is no category {category}. The categories are: {categories}. Call get_tenant_products "
                "with one of them, or without category."
            ).format(category=repr(category), categories=_(", ").join(categories) or "-")
        )


def _with_sku(products: QuerySet[Product], sku: str) -> Product:
    product = products.filter(sku=sku).first()
    if product is None:
        close = _closest(sku)
        if close is None:
            raise ProductNotFound(
                _("There is no product {sku}. Call get_tenant_products to see the skus.").format(sku=repr(sku))
            )
        raise ProductNotFound(
            _("There is no product {sku}. Did you mean {close}? Call get_tenant_products to see the skus.").format(
                sku=repr(sku), close=repr(close)
            )
        )
    return product


def _closest(sku: str) -> str | None:
    """Of the skus of 100 products that are found by the first half of this one, the most similar."""
    alike = search.matching(Product.objects.all(), sku[: len(sku) // 2 + 1]).order_by("sku")
    skus = {found.casefold(): found for found in alike.values_list("sku", flat=True)[:100]}
    close = difflib.get_close_matches(sku.casefold(), skus, n=1)
    return skus[close[0]] if close else None
