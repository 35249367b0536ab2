"""What somebody may mean who has typed the beginning of something: values of the open tenant context."""

from __future__ import annotations

from datetime import date

from django.db.models import Q
from django.db.models.functions import Collate
from django.utils import timezone

from core import addresses, periods
from core.models import Customer, Order, Product
from core.services import search

# What a column of numbers holds.
MAX_ORDER_NUMBER = 2**31 - 1
MAX_MONTHS = 12


def skus(text: str, limit: int) -> list[str]:
    """Skus, in order, of products of which a word of name, sku or category begins so."""
    found = search.matching(Product.objects.order_by("sku"), text)
    return list(found.values_list("sku", flat=True)[:limit])


def order_numbers(text: str, limit: int) -> list[str]:
    """Numbers of orders that begin with these digits, the newest first."""
    orders = Order.objects.order_by("-number")
    if text:
        if not (text.isascii() and text.isdigit()) or text.startswith("0"):
            return []
        orders = orders.filter(_beginning_with(text))
    return [str(number) for number in orders.values_list("number", flat=True)[:limit]]


def categories(text: str, limit: int) -> list[str]:
    """Categories that begin so, in order."""
    known = Product.objects.exclude(category="").order_by("category").values_list("category", flat=True).distinct()
    return [category for category in known if category.casefold().startswith(text.casefold())][:limit]


def customers(text: str, limit: int) -> list[str]:
    """E-mail addresses of customers that begin so, in order."""
    # In this collation what begins with a text is a range, whatever the language of the database.
    found = Customer.objects.annotate(plain=Collate("email", "C")).order_by("plain")
    if beginning := addresses.plain(text):
        found = found.filter(plain__gte=beginning, plain__lt=beginning + "\U0010ffff")
    return list(found.values_list("email", flat=True)[:limit])


def period_names(text: str, limit: int) -> list[str]:
    """Names of periods and recent months that begin so."""
    return [name for name in (*periods.PERIOD_NAMES, *months("", MAX_MONTHS)) if name.startswith(text)][:limit]


def months(text: str, limit: int) -> list[str]:
    """Recent months, the newest first, as "2026-11"."""
    today = timezone.localdate()
    last = today.year * 12 + today.month - 1
    names = (f"{date(month // 12, month % 12 + 1, 1):%Y-%m}" for month in range(last, last - MAX_MONTHS, -1))
    return [name for name in names if name.startswith(text)][:limit]


def _beginning_with(digits: str) -> Q:
    """The ranges of numbers whose decimal text begins so: 12, 120-129, 1200-1299 and so on."""
    found, first, count = Q(), int(digits), 1
    while first <= MAX_ORDER_NUMBER:
        found |= Q(number__gte=first, number__lt=min(first + count, MAX_ORDER_NUMBER + 1))
        first, count = first * 10, count * 10
    return found or Q(pk=None)
