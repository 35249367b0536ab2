"""Orders of the open tenant context."""

from __future__ import annotations

from django.db.models import F, QuerySet, Sum

from core.models import Order


def find() -> QuerySet[Order]:
    """Every order, newest first, with `total_minor`: the sum of its lines in the currency's minor unit."""
    return Order.objects.annotate(total_minor=Sum(F("items__quantity") * F("items__price_minor"))).order_by(
        "-created_at", "-id"
    )
