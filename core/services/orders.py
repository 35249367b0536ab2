"""Orders of the open tenant context."""

from __future__ import annotations

from django.db.models import QuerySet

from core.models import Order


def find() -> QuerySet[Order]:
    """Every order, newest first."""
    return Order.objects.order_by("-created_at", "-id")
