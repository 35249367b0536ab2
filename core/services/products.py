"""Products of the open tenant context."""

from __future__ import annotations

from django.db.models import QuerySet

from core.models import Product


def find() -> QuerySet[Product]:
    """Every product, newest first."""
    return Product.objects.order_by("-created_at", "-id")
