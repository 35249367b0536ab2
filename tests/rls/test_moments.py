"""A moment is read as Django reads it, whatever PostgreSQL writes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import get_adapters_template
from psycopg.adapt import AdaptersMap
from psycopg.postgres import types
from psycopg.pq import Format

from core.models import Product
from rls import tenant_context
from rls.backends.postgresql.moments import MomentLoader, read_fast
from tests.support.world import World

MOMENT = types["timestamptz"].oid
MOMENTS = [
    "2026-11-28 13:20:35.123456+00",
    "2026-11-28 13:20:35.1+00",
    "2026-11-28 13:20:35+00",
    "2026-11-28 13:20:35.000001+08",
    "1890-01-01 00:00:00+00",
    "0001-01-02 00:00:00+00",
    "9999-12-30 23:59:59.999999+00",
]
OUT_OF_RANGE = ["infinity", "-infinity", "10000-01-02 00:00:00+00", "0044-03-15 00:00:00+00 BC"]


@pytest.fixture(params=["UTC", "Asia/Taipei", "Europe/London", "Asia/Kolkata"])
def in_zone(request: pytest.FixtureRequest, admin: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A connection that writes moments in one of these time zones."""
    admin.execute("SELECT set_config('TimeZone', %s, false)", [request.param])
    yield admin
    admin.execute("RESET TimeZone")


def read(text: str, written_by: psycopg.Connection, adapters: AdaptersMap) -> datetime:
    """How these adapters read the moment as PostgreSQL writes it."""
    [written] = written_by.execute("SELECT %s::timestamptz::text", [text]).fetchone() or [""]
    found: datetime = adapters.get_loader(MOMENT, Format.TEXT)(MOMENT, written_by).load(written.encode())  # type: ignore[misc]  # None where there is none
    return found


@pytest.mark.parametrize("text", MOMENTS)
def test_it_is_the_moment_that_django_reads(text: str, in_zone: psycopg.Connection) -> None:
    stock = get_adapters_template(True, UTC)

    mine, theirs = read(text, in_zone, read_fast(stock)), read(text, in_zone, stock)

    assert (mine, mine.tzinfo, mine.fold) == (theirs, theirs.tzinfo, theirs.fold)


@pytest.mark.parametrize("text", OUT_OF_RANGE)
def test_what_python_has_no_word_for_is_an_error(text: str, in_zone: psycopg.Connection) -> None:
    with pytest.raises(psycopg.DataError):
        read(text, in_zone, read_fast(get_adapters_template(True, UTC)))


def test_rows_are_read_so(acme: World) -> None:
    with tenant_context(acme.id):
        product = Product.objects.earliest("created_at")
        loader = connection.connection.adapters.get_loader(MOMENT, Format.TEXT)

    assert product.created_at.utcoffset() == timedelta(0)
    assert issubclass(loader, MomentLoader)
