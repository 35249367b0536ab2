"""`rls.statement_timeout()`: no statement takes longer in it, whatever it stands in and whatever stands in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from core.models import Product
from rls import IsolationError, platform_context, read_only, statement_timeout, tenant_context, timeouts
from rls.backends import lost
from rls.context import PLATFORM_ALIAS
from tests.support.world import World

SLOW = "SELECT pg_sleep(10)"
# Each road of the cursor: with its prefix, alone because of a `;`, alone because of how it begins.
ROADS = [SLOW, f"{SLOW} -- ;\n", f"EXPLAIN ANALYZE {SLOW}"]


def current(using: str = "default") -> str:
    """How long a statement may take here."""
    with connections[using].cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        [found] = cursor.fetchone()
    return str(found)


def leave_pool() -> None:
    """So that the next statement makes a connection."""
    connection.close()
    connection.close_pool()


@pytest.fixture
def context(acme: World) -> Iterator[World]:
    """An open tenant context."""
    with tenant_context(acme.id):
        yield acme


@pytest.mark.parametrize("statement", ROADS)
@pytest.mark.parametrize("is_atomic", [False, True])
def test_a_statement_that_takes_longer_is_cancelled(statement: str, is_atomic: bool, context: World) -> None:
    with (
        pytest.raises(OperationalError) as refusal,
        statement_timeout(0.05),
        transaction.atomic() if is_atomic else nullcontext(),
    ):
        connection.cursor().execute(statement)

    assert isinstance(refusal.value.__cause__, psycopg.errors.QueryCanceled)
    assert not lost.is_lost(refusal.value)
    assert Product.objects.count() == 1


def test_many_statements_have_the_time_each(context: World) -> None:
    with statement_timeout(0.5):
        with pytest.raises(OperationalError):
            connection.cursor().executemany("SELECT pg_sleep(%s)", [[0], [10]])
        for _ in range(3):
            connection.cursor().execute("SELECT pg_sleep(0.2)")


def test_it_ends_with_its_block(context: World) -> None:
    with statement_timeout(7):
        assert current() == "7s"

    assert current() == "30s"


def test_it_costs_no_statement(context: World) -> None:
    with CaptureQueriesContext(connection) as captured, statement_timeout(7):
        Product.objects.count()

    assert len(captured) == 1


def test_of_two_blocks_the_shorter_time_counts(context: World) -> None:
    with statement_timeout(7):
        with statement_timeout(9):
            assert current() == "7s"
        with statement_timeout(1.5):
            assert current() == "1500ms"
        assert current() == "7s"


def test_the_time_of_the_role_stays_the_bound(context: World) -> None:
    with statement_timeout(600):
        assert current() == "30s"


def test_a_connection_that_is_made_in_the_block_knows_what_its_role_may(context: World) -> None:
    leave_pool()

    with statement_timeout(7):
        assert current() == "7s"
    with statement_timeout(600):
        assert current() == "30s"


def test_a_role_without_a_limit_takes_what_is_asked_for(admin: psycopg.Connection, context: World) -> None:
    role = f"app_tenant IN DATABASE {admin.info.dbname}"
    leave_pool()
    admin.execute(f"ALTER ROLE {role} SET statement_timeout = 0")
    try:
        with statement_timeout(600):
            assert current() == "10min"
            assert timeouts.of_role(connection.connection) is None
    finally:
        admin.execute(f"ALTER ROLE {role} RESET statement_timeout")
        leave_pool()


@pytest.mark.parametrize("before", ["30s", "9s"])
def test_an_open_transaction_has_afterwards_what_it_had(before: str, context: World) -> None:
    with transaction.atomic():
        if before != "30s":
            connection.cursor().execute(f"SET LOCAL statement_timeout = '{before}'")
        with statement_timeout(1):
            assert current() == "1s"

        assert current() == before


def test_a_transaction_that_has_failed_in_it_goes_on_from_its_savepoint(context: World) -> None:
    with transaction.atomic():
        with pytest.raises(DatabaseError), transaction.atomic(), statement_timeout(0.05):
            connection.cursor().execute(SLOW)

        assert current() == "30s"
        assert Product.objects.update(stock=7) == 1

    assert Product.objects.get().stock == 7


def test_what_is_injected_does_not_lift_it(context: World) -> None:
    with statement_timeout(1), transaction.atomic():
        connection.cursor().execute("SET LOCAL statement_timeout = 0")

        assert current() == "1s"


def test_it_goes_together_with_a_block_that_only_reads(context: World) -> None:
    with read_only(), statement_timeout(7):
        assert current() == "7s"
        with pytest.raises(DatabaseError, match="only reads"):
            Product.objects.update(stock=0)


def test_it_follows_the_task_into_the_threads_of_the_async_orm(acme: World) -> None:
    async def story() -> Any:
        async with tenant_context(acme.id):
            with statement_timeout(7):
                return await asyncio.gather(sync_to_async(current)(), sync_to_async(current)())

    assert asyncio.run(story()) == ["7s", "7s"]


def test_platform_work_is_bounded_by_it(acme: World) -> None:
    with platform_context(actor="tests", reason="a test"):
        with statement_timeout(7):
            assert current(PLATFORM_ALIAS) == "7s"
        assert current(PLATFORM_ALIAS) == "10min"


@pytest.mark.parametrize("seconds", [0, -1, 10**9, float("inf"), float("nan")])
def test_a_time_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="more than 0"), statement_timeout(seconds):
        pass


def test_less_than_a_millisecond_is_not_no_limit(context: World) -> None:
    with pytest.raises(OperationalError), statement_timeout(0.0001):
        connection.cursor().execute(SLOW)


def test_a_generator_cannot_open_it() -> None:
    def each() -> object:
        with statement_timeout(1):
            yield

    with pytest.raises(IsolationError, match="is a generator"):
        list(each())  # type: ignore[call-overload]
