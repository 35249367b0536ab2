"""Finding products by the beginnings of words: an index that row-level security leaves usable."""

from __future__ import annotations

import re
import unicodedata

from django.db.models import QuerySet

from core.models import Product, ProductTerm

MAX_TERM_LENGTH = 64
MAX_WORDS = 8  # each is a join
# Chinese, Japanese and Korean put no space between words, so that a word can begin at each character.
UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003134f]+")
WORD = re.compile(r"\w+", re.UNICODE)


def matching(products: QuerySet[Product], query: str) -> QuerySet[Product]:
    """Those of `products` of which each of the query's first words begins a word of name, sku or category.

    A query of signs alone begins a sku; an empty one fits all.
    """
    signs = _folded(query).strip()[:MAX_TERM_LENGTH]
    for term in list(dict.fromkeys(_words(query)))[:MAX_WORDS] or filter(None, [signs]):
        # A range of the index: what begins with the term lies between it and it followed by the last character.
        found = ProductTerm.objects.filter(term__gte=term, term__lt=term + "\U0010ffff")
        products = products.filter(id__in=found.values("product_id"))
    return products


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
    """Each word of name, sku and category, and the whole sku; of unspaced text each ending."""
    found = {_folded(product.sku)[:MAX_TERM_LENGTH]}
    for word in _words(f"{product.name} {product.sku} {product.category}"):
        found.add(word)
        for run in UNSPACED.finditer(word):
            found.update(word[start:][:MAX_TERM_LENGTH] for start in range(*run.span()))
    return found - {""}


def _words(text: str) -> list[str]:
    return [word[:MAX_TERM_LENGTH] for word in WORD.findall(_folded(text))]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
