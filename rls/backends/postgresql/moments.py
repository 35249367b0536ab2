"""Reads moments (timestamptz) with the C code of `datetime`, where they come in UTC, which Django asks for.

psycopg's own reader in C is not used as soon as Django gives its moments another time zone object: a page of 20 rows
then matches 20 regular expressions.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import cache

from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.pq import Format

TIMESTAMPTZ = "timestamptz"
UTC_SUFFIX = b"+00"


class MomentLoader(BaseTzLoader):  # type: ignore[misc]  # missing in the stubs
    """Django's; what does not end in +00, or is no date of Python's, is left to it."""

    def load(self, data: Buffer) -> datetime:
        text = bytes(data)
        if text.endswith(UTC_SUFFIX):
            with suppress(ValueError):
                return datetime.fromisoformat(text[: -len(UTC_SUFFIX)].decode()).replace(tzinfo=self.timezone)
        found: datetime = super().load(data)
        return found


@cache
def read_fast(adapters: AdaptersMap) -> AdaptersMap:
    """The same adapters, with a reader of moments in the time zone that they have."""
    found = AdaptersMap(adapters)
    loader = adapters.get_loader(adapters.types[TIMESTAMPTZ].oid, Format.TEXT)
    found.register_loader(
        TIMESTAMPTZ, type("MomentLoader", (MomentLoader,), {"timezone": getattr(loader, "timezone", None)})
    )
    return found
