"""How many rows there are of what may be very many: counted up to a limit, and beyond it as PostgreSQL last sampled.

So the figures of an installation cost the same however much it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import QuerySet

MAX_COUNTED_ROWS = 10_000
# The digits that a sampled number keeps: no more are known of it.
SAMPLED_DIGITS = 3

# What ANALYZE has found of a table or a partial index (PostgreSQL, 53.11 "pg_class"); -1 where it has never run.
COUNTED = """
SELECT count(*), (SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = %s::regclass) FROM ({rows}) AS counted
"""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of rows; where it is not exact, there are more than MAX_COUNTED_ROWS."""

    rows: int
    is_exact: bool


def of(rows: Mapping[str, QuerySet[Any]], *, using: str) -> list[Estimate]:
    """How many rows each queryset has, in one statement: all of a table or of a partial index, which the key names."""
    parts, values = [], []
    for name, each in rows.items():
        some, own = each.order_by().values("pk")[: MAX_COUNTED_ROWS + 1].query.get_compiler(using).as_sql()
        parts.append(COUNTED.format(rows=some))
        values += [name, *own]
    with connections[using].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return [_estimate(counted, sampled) for counted, sampled in cursor.fetchall()]


def _estimate(counted: int, sampled: int) -> Estimate:
    if counted <= MAX_COUNTED_ROWS:
        return Estimate(counted, is_exact=True)
    return Estimate(max(round(sampled, SAMPLED_DIGITS - len(str(sampled))), MAX_COUNTED_ROWS), is_exact=False)
