"""The platform context: another role, an actor and a reason, an audit row that stays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import psycopg
import pytest
from django.db import DatabaseError, connections, transaction
from django.test.utils import CaptureQueriesContext

from core.models import Product, Tenant
from rls import NoPlatformContext, platform_context
from rls.testing import as_role
from tests.support.world import World


def test_the_platform_sees_every_tenant(acme: World, globex: World) -> None:
    with platform_context(actor="ada", reason="a look"):
        assert Tenant.objects.count() == 2
        assert Product.objects.count() == 2


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("who", ""), (" ", "why"), ("who", "\n")])
def test_platform_work_needs_an_actor_and_a_reason(actor: str, reason: str) -> None:
    with pytest.raises(ValueError, match="an actor and a reason"), platform_context(actor=actor, reason=reason):
        pytest.fail("entered")


def on_record(admin: psycopg.Connection) -> list[tuple[object, ...]]:
    return admin.execute(
        "SELECT reason, outcome FROM app.platform_audit LEFT JOIN app.platform_outcome USING (id)"
        " WHERE actor = 'ada' ORDER BY id"
    ).fetchall()


def test_the_record_says_who_why_whence_and_how_it_ended(admin: psycopg.Connection) -> None:
    with platform_context(actor="ada", reason="works", origin="a test"):
        Tenant.objects.create(subdomain="new", name="New")

    rows = admin.execute(
        "SELECT actor, reason, origin, role_name, address = inet_client_addr(), outcome, opened_at <= ended_at"
        " FROM app.platform_audit JOIN app.platform_outcome USING (id)"
    ).fetchall()
    assert rows == [("ada", "works", "a test", "app_platform", True, "committed", True)]


def an_error() -> None:
    raise ZeroDivisionError


def a_rollback() -> None:
    transaction.set_rollback(True, using="platform")


def an_exit() -> None:
    raise SystemExit


def an_error_of_the_database() -> None:
    connections["platform"].cursor().execute("SELECT 1 / 0")


def a_swallowed_error_of_the_database() -> None:
    with contextlib.suppress(DatabaseError):
        an_error_of_the_database()


def a_swallowed_error_in_a_savepoint() -> None:
    with contextlib.suppress(DatabaseError), transaction.atomic(using="platform", savepoint=False):
        an_error_of_the_database()


def a_key_that_is_checked_at_the_commit() -> None:
    connections["platform"].cursor().execute("INSERT INTO auth_user_groups (user_id, group_id) VALUES (7, 7)")


@pytest.mark.parametrize(
    "ending",
    [
        an_error,
        a_rollback,
        an_exit,
        an_error_of_the_database,
        a_swallowed_error_of_the_database,
        a_swallowed_error_in_a_savepoint,
        a_key_that_is_checked_at_the_commit,
    ],
)
def test_who_worked_is_on_record_whatever_becomes_of_the_work(
    ending: Callable[[], None], acme: World, globex: World, admin: psycopg.Connection
) -> None:
    with contextlib.suppress(BaseException), platform_context(actor="ada", reason="reads all"):
        assert Product.objects.count() == 2
        Tenant.objects.update(name="Mine")
        ending()

    assert on_record(admin) == [("reads all", "rolled back")]
    assert admin.execute("SELECT count(*) FROM core_tenant WHERE name = 'Mine'").fetchone() == (0,)
    with platform_context(actor="ada", reason="goes on"):
        assert Product.objects.count() == 2


@pytest.mark.parametrize(
    "word", ["COMMIT", "/**/ end", "ABORT WORK", "ROLLBACK", "COMMIT AND CHAIN", "PREPARE TRANSACTION 'x'"]
)
def test_work_does_not_end_its_own_transaction(word: str, acme: World, admin: psycopg.Connection) -> None:
    with pytest.raises(ZeroDivisionError), platform_context(actor="ada", reason="ends itself"):
        Tenant.objects.update(name="Mine")
        with pytest.raises(DatabaseError, match=r"is refused|was rolled back"):
            connections["platform"].cursor().execute(word)
        raise ZeroDivisionError

    assert on_record(admin) == [("ends itself", "rolled back")]
    assert ("Mine",) not in admin.execute("SELECT name FROM core_tenant").fetchall()


def test_work_in_another_thread_is_no_part_of_it(acme: World, admin: psycopg.Connection) -> None:
    def write() -> None:
        try:
            with pytest.raises(NoPlatformContext):
                Tenant.objects.update(name="Mine")
        finally:
            connections.close_all()

    with platform_context(actor="ada", reason="asks a thread"), ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, write).result()

    assert ("Mine",) not in admin.execute("SELECT name FROM core_tenant").fetchall()


def test_a_lost_connection_leaves_the_record(acme: World, admin: psycopg.Connection) -> None:
    with pytest.raises(DatabaseError), platform_context(actor="ada", reason="is cut off"):
        Product.objects.count()
        pid = connections["platform"].connection.info.backend_pid
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        Product.objects.count()

    assert on_record(admin) == [("is cut off", "rolled back")]


def test_the_record_is_there_before_the_work_begins(acme: World, admin: psycopg.Connection) -> None:
    with platform_context(actor="ada", reason="is at work"):
        assert on_record(admin) == [("is at work", None)]


def test_a_context_costs_one_statement_more_than_its_work(acme: World) -> None:
    with CaptureQueriesContext(connections["platform"]) as captured, platform_context(actor="ada", reason="counts"):
        Product.objects.count()

    statements = [query["sql"] for query in captured if query["sql"] not in ("BEGIN", "COMMIT")]
    assert [statement.split("(")[0] for statement in statements] == [
        "SELECT app.open_platform",
        "SELECT COUNT",
        "INSERT INTO app.platform_outcome ",
    ]


@pytest.mark.parametrize(
    "before",
    [
        "SELECT app.open_platform('me', 'in the same transaction', '')",
        "INSERT INTO app.platform_audit (actor, reason, origin) VALUES ('me', 'by hand', '') RETURNING id",
    ],
)
def test_a_record_that_can_be_rolled_back_opens_nothing(before: str, acme: World) -> None:
    with as_role("app_platform") as psql, psql.transaction():
        [record] = psql.execute(before).fetchone()
        psql.execute(f"SET LOCAL app.platform_audit_id = '{record}'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no platform context is open"):
            psql.execute("SELECT name FROM core_product")


def test_a_record_opens_nothing_once_it_has_ended(acme: World) -> None:
    with as_role("app_platform") as psql:
        [record] = psql.execute("SELECT app.open_platform('me', 'by hand', 'psql')").fetchone()
        psql.execute(f"SET app.platform_audit_id = '{record}'")
        assert ("Acme anvil",) in psql.execute("SELECT name FROM core_product").fetchall()
        psql.execute("INSERT INTO app.platform_outcome (id, outcome) VALUES (%s, 'committed')", [record])

        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no platform context is open"):
            psql.execute("SELECT name FROM core_product")
        for another in ("committed", "rolled back"):
            with pytest.raises(psycopg.errors.UniqueViolation):
                psql.execute("INSERT INTO app.platform_outcome (id, outcome) VALUES (%s, %s)", [record, another])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE app.platform_audit SET actor = 'nobody'",
        "DELETE FROM app.platform_audit",
        "TRUNCATE app.platform_audit",
        "ALTER TABLE app.platform_audit ADD note text",
        "UPDATE app.platform_outcome SET outcome = 'committed'",
        "DELETE FROM app.platform_outcome",
        "TRUNCATE app.platform_outcome",
    ],
)
@pytest.mark.parametrize("alias", ["platform", "default"])
def test_the_audit_is_append_only(statement: str, alias: str) -> None:
    with pytest.raises(DatabaseError, match=r"permission denied|defines nothing"):
        connections[alias].cursor().execute(statement)


def test_the_platform_connection_outside_a_context_is_an_error(acme: World) -> None:
    with pytest.raises(NoPlatformContext):
        Tenant.objects.using("platform").count()


def test_platform_contexts_do_not_nest() -> None:
    with platform_context(actor="ada", reason="outer"), pytest.raises(RuntimeError, match="durable"):
        with platform_context(actor="ada", reason="inner"):
            pytest.fail("entered")


def test_a_platform_context_is_no_part_of_another_transaction(admin: psycopg.Connection) -> None:
    with (
        transaction.atomic(using="platform"),
        pytest.raises(RuntimeError, match="record is committed first"),
    ):
        with platform_context(actor="ada", reason="inside"):
            pytest.fail("entered")

    assert on_record(admin) == []
