"""Finding products by the beginnings of words: an index that row-level security leaves usable."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from core import words
from core.models import Product, ProductTerm
from mcp_server.errors import Refusal

Q = TypeVar("Q", bound=QuerySet[Any, Any])

MAX_WORDS = 8  # each is a join


class NothingToSearchFor(Refusal):
    """The query has no letter, number or picture."""


def require_words(query: str) -> None:
    """Raise NothingToSearchFor where there is something in the query, and no word to find anything by."""
    if not words.is_blank(query) and not words.wanted(query):
        raise NothingToSearchFor(
            _(
                "There is no letter or digit in {query} to search for. Give the beginning of a word of name, sku or "
                "category, or leave the search empty."
            ).format(query=repr(query))
        )


def matching(products: Q, query: str) -> Q:
    """Those of `products` of which each of the query's first words begins a word of name, sku or category.

    A blank query fits all, one of signs alone none.
    """
    if words.is_blank(query):
        return products
    terms = words.wanted(query)[:MAX_WORDS]
    for term in terms:
        # A range of the index: what begins with the term lies between it and it followed by the last character.
        found = ProductTerm.objects.filter(term__gte=term, term__lt=term + "\U0010ffff")
        products = products.filter(id__in=found.values("product_id"))
    return products if terms else products.none()


def index(product: Product) -> None:
    """Make the product findable as it is now; called by whatever changes its name, sku or category."""
    index_all([product])


def index_all(products: list[Product]) -> None:
    """The same for many, in two statements."""
    ProductTerm.objects.filter(product__in=products).delete()
    ProductTerm.objects.bulk_create(
        [ProductTerm(product=product, term=term) for product in products for term in sorted(terms(product))],
        batch_size=5000,
    )


def terms(product: Product) -> set[str]:
    """What finds the product by its beginning."""
    return words.terms(product.name) | words.terms(product.sku) | words.terms(product.category)
