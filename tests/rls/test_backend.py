"""The backend keeps Django's and psycopg's contracts: results, transactions, callbacks, the pool."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection, connections, transaction
from django.test.runner import DiscoverRunner
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from core.models import Product, Tenant
from rls import NoPlatformContext, NoTenantContext, platform_context, tenant_context
from rls.backends.postgresql.connection import Connection
from tests.support import programs
from tests.support.world import World


def rows(statement: Any, params: Any = None, *, using: str = "default") -> list[Any]:
    """What a statement returns."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def product(sku: str) -> Product:
    return Product(sku=sku, name=sku, price_minor=1, currency="EUR")


@pytest.fixture
def context(acme: World) -> Iterator[World]:
    """An open tenant context."""
    with tenant_context(acme.id):
        yield acme


# Each takes another road: prefix, alone because of a `;`, alone because of how it begins, behind a comment.
ROADS = ["{}", "{} -- ;\n", "EXPLAIN (COSTS OFF) {}", "/* a comment */ {}", "(({}))"]


@pytest.mark.parametrize("road", ROADS)
def test_a_result_is_the_statements_own(road: str, context: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute(road.format("SELECT 7 AS seven"))

        assert len(cursor.description) == 1
        assert cursor.rowcount >= 1
        assert cursor.fetchone() is not None
        assert list(cursor) == []


def test_percent_signs_and_values_arrive_as_they_are(context: World) -> None:
    assert rows("SELECT 'a%' || 'b'") == [("a%b",)]
    assert rows("SELECT 'a%%' || %s", ["b;c"]) == [("a%b;c",)]
    assert rows(b"SELECT %s::int + 1", [1]) == [(2,)]
    assert rows(sql.SQL("SELECT {}").format(sql.Literal("x;y"))) == [("x;y",)]
    assert rows("SELECT %(a)s::int[]", {"a": [1, 2]}) == [([1, 2],)]


@pytest.mark.parametrize(
    "first", ["SET LOCAL statement_timeout = '9s'", "EXPLAIN SELECT 1", "SELECT 1; ", "SHOW timezone"]
)
def test_a_first_statement_on_the_slow_road_does_not_commit(first: str, context: World) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        rows(first)
        product("rolled-back").save()
        raise ZeroDivisionError

    assert not Product.objects.filter(sku="rolled-back").exists()


@pytest.mark.parametrize("setting", ["SET TRANSACTION READ ONLY", "SET LOCAL transaction_read_only = on"])
def test_a_read_only_transaction_is_read_only(setting: str, context: World) -> None:
    with pytest.raises(DatabaseError, match="read-only"), transaction.atomic():
        rows(setting)
        product("read-only").save()


def test_a_hand_made_transaction_survives_set_local(context: World) -> None:
    transaction.set_autocommit(False)
    try:
        product("first").save()
        rows("SET LOCAL statement_timeout = '9s'")
        product("second").save()
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)

    assert list(Product.objects.values_list("sku", flat=True)) == ["A-1"]


@pytest.mark.parametrize(
    "statement", ["SET statement_timeout = '1ms'", "SET local.x = '1'", "RESET ALL", "SET SESSION lock_timeout = 1"]
)
def test_what_outlives_its_transaction_is_not_set(statement: str, context: World) -> None:
    with pytest.raises(DatabaseError, match="was rolled back"), transaction.atomic():
        rows(statement)
    with pytest.raises(DatabaseError, match="was rolled back"):
        rows(statement)
    assert rows("SHOW statement_timeout") == [("30s",)]


def test_a_begin_by_hand_is_refused_in_words(context: World) -> None:
    with pytest.raises(DatabaseError, match="BEGIN was rolled back"):
        rows("BEGIN")


def test_a_comment_before_a_savepoint_leaves_it_one(context: World) -> None:
    def commented(execute: Callable[..., Any], statement: str, params: Any, many: bool, facts: Any) -> Any:
        return execute(f"/* route=x */ {statement}", params, many, facts)

    with connection.execute_wrapper(commented), transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            product("inner").save()
            raise ZeroDivisionError
        product("outer").save()

    assert set(Product.objects.values_list("sku", flat=True)) == {"A-1", "outer"}


def test_a_comment_that_nests_hides_nothing(context: World) -> None:
    with pytest.raises(DatabaseError):
        rows("/*/*/ SELECT 1 */*/ LISTEN everything")


def test_the_look_at_the_pool_keeps_what_is_healthy(context: World) -> None:
    connection.ensure_connection()
    pool = connection.pool
    connection.close()
    lost = pool.get_stats().get("connections_lost", 0)

    pool.check()

    assert pool.get_stats().get("connections_lost", 0) == lost


def test_a_robust_callback_that_fails_does_not_stop_the_next(context: World) -> None:
    seen: list[str] = []

    def fails() -> None:
        raise ZeroDivisionError

    with transaction.atomic():
        transaction.on_commit(fails, robust=True)
        transaction.on_commit(lambda: seen.append(Product.objects.get().sku))

    assert seen == ["A-1"]
    with pytest.raises(TypeError):
        transaction.on_commit(None)  # type: ignore[arg-type]


def test_a_callback_of_platform_work_may_open_a_tenant(acme: World) -> None:
    seen: list[int] = []

    def seed() -> None:
        with tenant_context(acme.id):
            seen.append(Product.objects.count())

    with platform_context(actor="tests", reason="seed on commit"):
        transaction.on_commit(seed, using="platform")

    assert seen == [1]


def test_a_tenant_context_does_not_open_the_platform(acme: World, globex: World) -> None:
    [(record,)] = rows("SELECT app.open_platform('me', 'mine', '')", using="platform")

    with tenant_context(acme.id), transaction.atomic(using="platform"):
        rows(f"SET LOCAL app.platform_audit_id = '{record}'", using="platform")

        with pytest.raises(NoPlatformContext):
            rows("SELECT name FROM core_product", using="platform")


def test_a_platform_context_does_not_open_the_serving_connection(acme: World) -> None:
    with platform_context(actor="tests", reason="look"):
        assert Tenant.objects.count() == 1

        with pytest.raises(NoTenantContext):
            rows("SELECT name FROM core_product")


@pytest.mark.django_db
def test_executemany_without_a_context_is_the_named_error() -> None:
    with pytest.raises(NoTenantContext), connection.cursor() as cursor:
        cursor.executemany("UPDATE core_product SET stock = %s", [[1]])


@pytest.mark.parametrize("using", ["default", "platform", "owner"])
@pytest.mark.parametrize("road", ROADS)
def test_a_captured_statement_is_the_one_that_was_asked_for(road: str, using: str, context: World) -> None:
    with CaptureQueriesContext(connections[using]) as captured:
        rows(road.format("SELECT 'a' || %s"), ["b;c"], using=using)
        with pytest.raises(DatabaseError):
            rows(road.format("SELECT %s::int"), ["x"], using=using)

    assert [query["sql"] for query in captured] == [
        road.format("SELECT 'a' || 'b;c'"),
        road.format("SELECT 'x'::int"),
    ]


def test_what_is_empty_does_nothing(context: World) -> None:
    for empty in ("", ";", " ;; ", "/* nothing */", "-- nothing", "/* nothing */ ;"):
        with connection.cursor() as cursor:
            cursor.execute(empty)
            assert cursor.description is None
        with transaction.atomic():
            rows(empty)
            assert Product.objects.count() == 1


def test_a_semicolon_at_the_end_ends_the_statement(context: World) -> None:
    for text in ("SELECT 7;", "SELECT 7 ;\n ;", "EXPLAIN SELECT 7;", "SELECT 'a;b' AS b;", "SELECT 7; -- seven"):
        assert rows(text)
    with pytest.raises(DatabaseError, match="insert multiple commands"):
        rows("SELECT 7; SELECT 8;")


def test_a_plan_for_any_value_can_be_asked_for(context: World) -> None:
    if connection.pg_version < 160000:
        pytest.skip("EXPLAIN has GENERIC_PLAN from PostgreSQL 16 on")

    [(first,), *_] = rows("EXPLAIN (GENERIC_PLAN) SELECT name FROM core_product WHERE id = $1")

    assert "core_product" in first


def test_the_role_of_a_connection_is_who_logs_in() -> None:
    wrapper = connections.create_connection("default")
    wrapper.settings_dict = {**wrapper.settings_dict, "OPTIONS": {"assume_role": "app_owner"}}

    with pytest.raises(ImproperlyConfigured, match="remove assume_role, and name the role in USER"):
        wrapper.get_connection_params()


def test_djangos_test_runner_is_told_what_to_use() -> None:
    with pytest.raises(ImproperlyConfigured, match=r'pytest_plugins = \["rls\.testing\.plugin"\]'):
        DiscoverRunner(interactive=False, verbosity=0).setup_databases(aliases={"default"}, serialized_aliases=set())


ISOLATION_OFF = """
import django
django.setup()
from psycopg import ClientCursor
from rls.backends.postgresql import cursor
{}
from django.db import connection
connection.ensure_connection()
"""


@pytest.mark.parametrize(
    "sabotage",
    [
        # As if psycopg had renamed the method: ours overrides nothing.
        "cursor.Cursor._execute_send = ClientCursor._execute_send",
        "cursor.Cursor._alone = lambda self, many=False: __import__('contextlib').nullcontext()",
        "cursor.statements.is_on_rows = lambda text: True",
    ],
)
def test_a_process_whose_guard_is_not_in_force_serves_nothing(sabotage: str, database: str) -> None:
    for line, refused in ((sabotage, True), ("", False)):
        run = programs.run(["-c", ISOLATION_OFF.format(line)], environment=dict(os.environ))

        assert (run.returncode != 0) is refused
        assert ("does not pass its statements through the guards" in run.stderr) is refused


def test_explain_works(context: World) -> None:
    assert "core_product" in Product.objects.all().explain()


@pytest.mark.parametrize("copy", ["COPY core_product TO STDOUT", "COPY core_product FROM STDIN"])
def test_a_copy_in_the_text_costs_only_its_own_connection(copy: str, acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute(copy)

        assert Product.objects.count() == 1


def test_a_declared_name_can_be_set(acme: World, admin: psycopg.Connection) -> None:
    admin.execute("ALTER ROLE app_tenant SET shop.shelf = ''")
    try:
        connection.close()
        connection.close_pool()
        with tenant_context(acme.id), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL shop.shelf = '7'")
            cursor.execute("SHOW shop.shelf")

            assert cursor.fetchone() == ("7",)
    finally:
        admin.execute("ALTER ROLE app_tenant RESET shop.shelf")
        connection.close()
        connection.close_pool()


@pytest.mark.django_db
def test_a_pool_may_be_asked_for_after_its_wrapper_was_made() -> None:
    later = connection.copy()
    later.settings_dict["OPTIONS"]["pool"] = True
    try:
        with later.cursor() as cursor:
            cursor.execute("SELECT 1")

            assert cursor.fetchone() == (1,)
            assert isinstance(later.connection, Connection)
    finally:
        later.close()
