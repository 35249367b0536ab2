"""Querysets that are made once: Django builds a query step by step, which takes longer than many a query runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar

from django.db.models import QuerySet

Q = TypeVar("Q", bound=QuerySet[Any, Any])


def made_once(make: Callable[[], Q]) -> Callable[[], Q]:
    """Call `make` once, and give a copy of its queryset each time.

    A queryset keeps the rows that it has read. The one that is kept here is read by nobody, so no tenant finds in it
    what another has read.
    """
    kept = cache(make)

    @wraps(make)
    def copy() -> Q:
        return kept().all()

    return copy
