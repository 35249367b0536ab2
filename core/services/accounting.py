"""When a sale counts: on the day when it was placed, and it is taken back on the day when it was cancelled.

Neither moment ever changes, so figures of a period that is over are the same whenever they are asked for, and those of
its parts add up to those of the whole.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q


def placed(start: datetime | None, end: datetime, order: str = "") -> Q:
    """Orders that were placed from one moment, or from the beginning, up to another, whatever became of them.

    `order` is the way from the rows to their orders, such as "order__".
    """
    since = Q() if start is None else Q(**{f"{order}placed_at__gte": start})
    return since & Q(**{f"{order}placed_at__lt": end})


def cancelled(start: datetime, end: datetime, order: str = "") -> Q:
    """Orders that were cancelled between the two moments, whenever they had been placed; no drafts."""
    return Q(
        **{f"{order}placed_at__isnull": False, f"{order}cancelled_at__gte": start, f"{order}cancelled_at__lt": end}
    )


def taken_back(start: datetime, end: datetime, order: str = "") -> Q:
    """Orders that were cancelled between the two moments, and placed before the first."""
    return cancelled(start, end, order) & Q(**{f"{order}placed_at__lt": start})


def standing(start: datetime | None, end: datetime, order: str = "") -> Q:
    """Orders that were placed between the two moments, and not cancelled before the second."""
    return placed(start, end, order) & (
        Q(**{f"{order}cancelled_at__isnull": True}) | Q(**{f"{order}cancelled_at__gte": end})
    )
