"""Which errors say that the connection is gone, and what is tried again."""

from __future__ import annotations

import psycopg
import psycopg_pool
import pytest
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction

from core.models import Product
from rls import tenant_context
from rls.backends import lost
from rls.backends.interruption import CalledOff, called_off_when
from rls.backends.postgresql.connection import Connection, Silent
from tests.isolation.test_pgbouncer import PGBOUNCER, bouncer  # noqa: F401  (a fixture)
from tests.support.held import end_sessions
from tests.support.world import World

pytestmark = pytest.mark.slow


def django_error(cause: psycopg.Error) -> DatabaseError:
    """As Django wraps it."""
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "cause",
    [
        psycopg.OperationalError("the connection is closed"),
        psycopg.errors.lookup("57P01")("terminating connection due to administrator command"),
        psycopg.errors.lookup("57P02")(),
        psycopg.errors.lookup("57P03")("the database system is starting up"),
        psycopg.errors.lookup("57P05")(),
        psycopg.errors.lookup("25P03")(),
        psycopg.errors.lookup("08006")(),
        psycopg.errors.lookup("08P01")(),
        psycopg.errors.lookup("53300")("too many connections"),
        psycopg_pool.PoolTimeout("couldn't get a connection after 4.00 sec"),
        psycopg_pool.PoolClosed("closed"),
        Silent("the database does not answer"),
    ],
)
def test_a_lost_connection_is_known(cause: psycopg.Error) -> None:
    assert lost.is_lost(django_error(cause))


def test_a_lost_connection_is_known_behind_what_came_of_it() -> None:
    consequence = transaction.TransactionManagementError("the transaction is broken")
    consequence.__context__ = django_error(psycopg.OperationalError("gone"))

    assert lost.is_lost(consequence)
    assert lost.is_lost(InterfaceError("connection already closed"))


@pytest.mark.parametrize("state", ["57014", "55P03", "40P01", "23505", "42501", "40001", "53100", "22012", "25006"])
def test_an_error_of_a_statement_is_none(state: str) -> None:
    assert not lost.is_lost(django_error(psycopg.errors.lookup(state)()))


def test_misuse_is_none() -> None:
    assert not lost.is_lost(django_error(psycopg.InterfaceError("the cursor is closed")))
    assert not lost.is_lost(IntegrityError("duplicate"))
    assert not lost.is_lost(ValueError("mine"))


def test_who_has_waited_for_a_connection_does_not_wait_again() -> None:
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise django_error(psycopg_pool.PoolTimeout("4.00 sec"))

    with pytest.raises(OperationalError):
        lost.again(call)
    assert calls == [1]


def test_what_is_lost_is_tried_once_more_and_no_more(acme: World, admin: psycopg.Connection) -> None:
    pids: list[int] = []

    def call() -> None:
        with tenant_context(acme.id):
            pids.append(connection.connection.info.backend_pid)
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", pids[-1:])
            Product.objects.count()

    with pytest.raises(OperationalError):
        lost.again(call)
    assert len(set(pids)) == 2


def test_a_connection_that_ended_in_the_pool_is_not_given_out(acme: World, admin: psycopg.Connection) -> None:
    with tenant_context(acme.id):
        Product.objects.count()
    pid = connection.connection.info.backend_pid
    connection.close()
    admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with tenant_context(acme.id):
        assert Product.objects.count() == 1


def test_a_standby_is_left_for_who_wants_to_write(acme: World, admin: psycopg.Connection) -> None:
    setting = f"ALTER ROLE app_tenant IN DATABASE {admin.info.dbname}"
    connection.close()
    connection.close_pool()
    admin.execute(f"{setting} SET default_transaction_read_only = on")
    try:
        connection.ensure_connection()
    finally:
        admin.execute(f"{setting} RESET default_transaction_read_only")

    def write() -> int:
        with tenant_context(acme.id), transaction.atomic():
            return Product.objects.update(stock=7)

    assert lost.again(write, also=lost.is_read_only) == 1


def test_a_statement_is_called_off_and_what_rolls_back_is_not(acme: World) -> None:
    asked: list[int] = []

    def is_called_off() -> bool:
        asked.append(1)
        return len(asked) > 3  # while it waits

    with tenant_context(acme.id):
        with pytest.raises(CalledOff), transaction.atomic():
            Product.objects.update(stock=7)
            with called_off_when(is_called_off), connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(60)")
        assert Product.objects.get(sku="A-1").stock == 5


def test_nothing_begins_that_was_called_off(acme: World) -> None:
    with tenant_context(acme.id), called_off_when(lambda: True):
        with pytest.raises(CalledOff), transaction.atomic():
            Product.objects.update(stock=7)
        # Who goes on all the same is told once: the next statements are those that clean up.
        assert Product.objects.get(sku="A-1").stock == 5


@pytest.mark.django_db
def test_connections_of_a_pool_are_those_that_notice(database: str) -> None:
    connection.ensure_connection()

    assert isinstance(connection.connection, Connection)
    assert connection.connection.pulse is not None


def test_a_pulse_that_is_kept_feels_silence_and_is_renewed(database: str, admin: psycopg.Connection) -> None:
    connection.ensure_connection()
    pulse = connection.pulse
    pulse.keep()
    assert pulse.beats()

    end_sessions(admin, "pulse", f"datname = '{database}'")
    pulse._asked_at = float("-inf")

    assert pulse.beats()
    pulse.end()


@pytest.mark.skipif(not PGBOUNCER, reason="pgbouncer is not installed")
@pytest.mark.usefixtures("bouncer")
@pytest.mark.parametrize("is_known", [True, False])
def test_a_slow_statement_through_a_pooler_is_not_taken_for_silence(is_known: bool, acme: World) -> None:
    with tenant_context(acme.id):
        Product.objects.count()
    pulse = connection.pulse
    if is_known:
        pulse.keep()
    else:  # as where the pooler had no connection left to ask who is at the other end
        pulse._keeps = True

    # Longer than it takes to give a silent database up; it has the only connection to the server.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(6)")
