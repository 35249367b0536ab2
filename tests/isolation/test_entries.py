"""Cases 37-39 and 43: one judge for every entry to a cursor, whoever shares the connection; what stays on it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, NotSupportedError, connection, connections, transaction
from psycopg.rows import dict_row, namedtuple_row

from core.models import Product
from rls import NoTenantContext, tenant_context
from rls.backends.interruption import CalledOff, called_off_when
from tests.isolation.test_hostile_sql import attack
from tests.isolation.test_writes import snapshot
from tests.support.world import World

# What no right keeps from a serving role, and what would stay on its connection.
LASTING = [
    "DECLARE held CURSOR WITH HOLD FOR SELECT name FROM core_product",
    "PREPARE held AS SELECT name FROM core_product",
    "LISTEN everything",
    "NOTIFY tenant_changes",
    "SET statement_timeout = 1",
    "SET app.current_tenant = x",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "RESET ALL",
    "DISCARD ALL",
    "ALTER ROLE CURRENT_USER SET statement_timeout = 1",
    "DROP OWNED BY CURRENT_USER",
    "LOCK TABLE core_product IN ACCESS SHARE MODE",
    "BEGIN",
    "CALL nothing()",
]

# In the text of a comment to the end of the line the rest of the template follows, which is no statement then.
REFUSED = (
    r"was rolled back|cannot run inside|defines nothing|does not exist|syntax error|only supported for|type modifier"
)

# Each takes a value where it is thought to be harmless, and the value ends what it stands in.
TEMPLATES = [
    ("/* user %s */ UPDATE core_product SET stock = stock", "*/ {} --"),
    ("/* a /* nested */ user %s */ UPDATE core_product SET stock = stock", "*/ {} --"),
    ("-- user %s\nUPDATE core_product SET stock = stock", "\n{} --"),
    ("  /**/ -- %s\r /* */ SELECT 1", "\r{} --"),
    ("/*%s*/INSERT INTO core_product (name) VALUES ('x')", "*/{}--"),
]


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize(("template", "value"), TEMPLATES)
@pytest.mark.parametrize("statement", LASTING)
def test_a_value_inside_a_comment_gains_nothing(
    statement: str, template: str, value: str, acme: World, globex: World, admin: psycopg.Connection
) -> None:
    hidden = value.format(statement)

    with tenant_context(acme.id), connection.cursor() as cursor:
        with pytest.raises(NotSupportedError, match=r"executemany\(\) is for statements on rows"):
            cursor.executemany(template, [["harmless"], [hidden]])
        with pytest.raises(DatabaseError, match=REFUSED):
            cursor.execute(template, [hidden])
    connection.close()

    with tenant_context(globex.id):
        assert "does not exist" in attack("FETCH ALL FROM held")
        assert attack("SHOW statement_timeout") == "[('30s',)]"
        assert attack("SELECT pg_listening_channels()") == "[]"
        assert attack("SELECT name FROM pg_prepared_statements") == "[]"
        assert Product.objects.get().name == "Globex anvil"
    assert admin.execute("SELECT count(*) FROM core_product WHERE stock IS NULL").fetchone() == (0,)


def test_what_is_refused_in_the_middle_takes_what_was_sent_along(acme: World) -> None:
    template = "/* %s */ UPDATE core_product SET stock = stock + 1"
    values = [["one"], ["two"], ["*/ LISTEN everything --"]]

    with tenant_context(acme.id):
        with pytest.raises(NotSupportedError), connection.cursor() as cursor:
            cursor.executemany(template, values)
        with transaction.atomic():
            with pytest.raises(NotSupportedError), connection.cursor() as cursor:
                cursor.executemany(template, values)

            assert Product.objects.get().stock == 5
        assert Product.objects.get().stock == 5


def test_executemany_carries_the_tenant(acme: World, globex: World, admin: psycopg.Connection) -> None:
    statement = (
        "/* route=/api/x */ INSERT INTO core_product (sku, name, price_minor, currency, stock, is_active)"
        " VALUES (%s, 'x', 1, 'EUR', 0, true)"
    )

    with tenant_context(acme.id), connection.cursor() as cursor:
        cursor.executemany(statement, [["E-1"], ["E-2"]])
        assert cursor.rowcount == 2
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.executemany(statement, [["E-3"]])

    rows = admin.execute("SELECT tenant_id, sku FROM core_product WHERE sku LIKE 'E-%' ORDER BY sku").fetchall()
    assert rows == [(acme.id, "E-1"), (acme.id, "E-2")]


# Every kind that PostgreSQL accepts (4.1.5).
COMMENTS = [
    "/* route=/api/x */",
    "/*traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01',route='%%2Fpolls'*/",
    "/* a ** b // c */",
    "/* /* nested */ */",
    "/*/* */*/",
    "/**/",
    "/***/",
    "/*;*/",
    "/* ' */",
    "/* $$ */",
    "-- line\n",
    "-- /* \r",
    "--\n--/\n",
    "/* one */ -- two\n /* three */",
    "\f\t /* white */ \r\n",
    "/* \u53f0\u5317 */",
]


def commented(comment: str) -> Callable[..., Any]:
    """A wrapper that puts a comment before every statement, as agents that watch a program do."""

    def wrapper(execute: Callable[..., Any], statement: str, params: Any, many: bool, facts: Any) -> Any:
        return execute(
            f"{comment if params is not None else comment.replace('%%', '%')}{statement}", params, many, facts
        )

    return wrapper


@pytest.mark.parametrize("comment", COMMENTS)
def test_a_comment_before_a_statement_changes_nothing(comment: str, acme: World) -> None:
    with tenant_context(acme.id), connection.execute_wrapper(commented(comment)):
        with transaction.atomic():
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                Product.objects.update(stock=1)
                raise ZeroDivisionError
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = '9s'")
                cursor.execute("SHOW statement_timeout")
                assert cursor.fetchone() == ("9s",)
                cursor.executemany("UPDATE core_product SET stock = stock + %s", [[1], [2]])
        assert Product.objects.get().stock == 8
        with pytest.raises(DatabaseError, match="read-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("UPDATE core_product SET stock = 1")
        with pytest.raises(DatabaseError, match="was rolled back"), connection.cursor() as cursor:
            cursor.execute("LISTEN everything")
        assert "core_product" in Product.objects.all().explain()
    with connection.execute_wrapper(commented(comment)), pytest.raises(NoTenantContext):
        Product.objects.count()


@pytest.mark.parametrize(
    "statement",
    [
        "SET /* a */ LOCAL -- b\n statement_timeout = '9s'",
        "set/**/local/**/statement_timeout to '9s'",
        "/* /* */ */SET LOCAL statement_timeout = '9s';",
    ],
)
def test_a_comment_between_words_changes_nothing(statement: str, acme: World) -> None:
    with tenant_context(acme.id), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        cursor.execute("SHOW statement_timeout")

        assert cursor.fetchone() == ("9s",)


@pytest.mark.parametrize(
    "statement",
    [
        "SET LOCAL.x = '1'",
        "SET LOCAL /* a name goes on */ . x = '1'",
        "SET TRANSACTION/**/.x = '1'",
        "SET CONSTRAINTS.x = '1'",
        'SET "local".x = 1',
        "SET LOCAL\u00e9.x = '1'",
    ],
)
def test_a_name_that_begins_like_a_keyword_is_set_for_no_session(statement: str, acme: World) -> None:
    with tenant_context(acme.id), pytest.raises(DatabaseError, match="was rolled back"), transaction.atomic():
        connection.cursor().execute(statement)


@pytest.mark.parametrize("statement", ["SET CONSTRAINTS ALL {}", "/* / */ set constraints all {};"])
@pytest.mark.django_db
def test_what_a_savepoint_took_back_of_the_constraints_is_not_in_force(statement: str) -> None:
    def an_orphan() -> None:
        cursor.execute("INSERT INTO auth_user_groups (user_id, group_id) VALUES (7, 7)")

    with transaction.atomic(using="platform"), connections["platform"].cursor() as cursor:
        with pytest.raises(ZeroDivisionError), transaction.atomic(using="platform"):
            cursor.execute(statement.format("IMMEDIATE"))
            with pytest.raises(IntegrityError), transaction.atomic(using="platform"):
                an_orphan()
            raise ZeroDivisionError
        an_orphan()
        transaction.set_rollback(True, using="platform")


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT name FROM core_product WHERE name <> ';'",
        "SELECT name FROM core_product",
        "EXPLAIN (ANALYZE, COSTS OFF) SELECT name FROM core_product WHERE name <> ';'",
    ],
)
def test_a_connection_that_threads_share_crosses_nobody(statement: str, acme: World, globex: World) -> None:
    connection.ensure_connection()
    shared = connections["default"]
    shared.inc_thread_sharing()
    seen: dict[str, set[str]] = {"Acme": set(), "Globex": set()}
    failed: list[BaseException] = []
    begun = threading.Barrier(2)

    def read(world: World) -> None:
        connections["default"] = shared
        try:
            begun.wait()
            with tenant_context(world.id):
                for _ in range(300):
                    with shared.cursor() as cursor:
                        cursor.execute(statement)
                        seen[world.name].update(str(row) for row in cursor.fetchall())
                        cursor.executemany("UPDATE core_product SET stock = %s RETURNING name", [[1]])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=read, args=[world]) for world in (acme, globex)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared.dec_thread_sharing()

    assert failed == []
    assert not any("Globex" in row for row in seen["Acme"])
    assert not any("Acme" in row for row in seen["Globex"])
    for world in (acme, globex):
        with tenant_context(world.id):
            assert Product.objects.get().stock == 1


@pytest.mark.usefixtures("one_connection")
def test_random_does_not_go_on_from_another_tenants_seed(acme: World, globex: World) -> None:
    for statement in (
        "SELECT setseed(0.5)",
        "SET seed = 0.5",
        "SET LOCAL seed = 0.5",
        "SET LOCAL Seed TO 0.5",
        "SET/**/LOCAL/**/seed = 0.5",
        'SET LOCAL "seed" = 0.5',
        'SET LOCAL U&"s\\0065ed" = 0.5',
        "SET SESSION seed = 0.5",
    ):
        with tenant_context(acme.id):
            assert any(word in attack(statement) for word in ("denied", "rolled back", "refused")), statement
            with contextlib.suppress(DatabaseError), transaction.atomic():
                assert any(word in attack(statement) for word in ("denied", "rolled back", "refused")), statement


@pytest.mark.usefixtures("one_connection")
def test_a_name_that_was_made_up_is_not_seen_by_the_next_tenant(acme: World, globex: World) -> None:
    for statement in ("SET LOCAL made.up = 'secret'", "SET LOCAL Made . Up TO 'x'", 'SET LOCAL "made"."up" = 1'):
        with tenant_context(acme.id):
            with transaction.atomic():
                told = attack(statement)
                assert "refused" in told or "rolled back" in told
    connection.close()

    with tenant_context(globex.id):
        assert attack("SELECT current_setting('made.up', true)") == "[(None,)]"


@pytest.mark.usefixtures("one_connection")
def test_a_name_is_looked_up_whatever_shape_rows_have(acme: World) -> None:
    with tenant_context(acme.id), transaction.atomic():
        Product.objects.count()
        for factory in (dict_row, namedtuple_row):
            cursor = connection.connection.cursor(row_factory=factory)
            with pytest.raises(NotSupportedError, match="the server does not know the name"):
                cursor.execute("SET LOCAL made.up = 'secret'")


@pytest.mark.usefixtures("one_connection")
def test_a_statement_that_is_called_off_prepares_nothing(acme: World, globex: World) -> None:
    asked: list[int] = []

    def is_called_off() -> bool:
        asked.append(1)
        return len(asked) > 3

    with tenant_context(acme.id), called_off_when(is_called_off):
        with contextlib.suppress(CalledOff), contextlib.suppress(DatabaseError):
            connection.cursor().execute("PREPARE held AS SELECT 'secret of acme', name FROM core_product")
    connection.close()

    with tenant_context(globex.id):
        assert attack("SELECT statement FROM pg_prepared_statements") == "[]"


def test_what_is_called_off_ends_its_transaction(acme: World, globex: World) -> None:
    is_called_off: list[bool] = []

    with tenant_context(acme.id), called_off_when(lambda: bool(is_called_off)), pytest.raises(CalledOff):
        with transaction.atomic():
            Product.objects.update(stock=77)
            is_called_off.append(True)
            Product.objects.update(stock=78)
    with tenant_context(globex.id), transaction.atomic():
        Product.objects.update(stock=88)
    connection.close()

    for world, stock in ((acme, 5), (globex, 88)):
        with tenant_context(world.id):
            assert Product.objects.get().stock == stock


def test_executemany_takes_values_that_are_queried(acme: World) -> None:
    with tenant_context(acme.id), connection.cursor() as cursor:
        cursor.executemany("UPDATE core_product SET stock = %s", ([stock + 1] for stock in stocks()))

        assert Product.objects.get().stock == 6


def stocks() -> Iterator[int]:
    yield from Product.objects.values_list("stock", flat=True)


@pytest.mark.parametrize("within", [transaction.atomic, contextlib.nullcontext])
def test_a_pipeline_is_refused_by_name(
    within: Callable[[], contextlib.AbstractContextManager[None]], acme: World, admin: psycopg.Connection
) -> None:
    before = snapshot(admin, acme)

    with tenant_context(acme.id), within():
        Product.objects.count()
        with connection.connection.pipeline(), connection.cursor() as cursor:
            for send in (lambda: cursor.execute("SELECT 1"), lambda: cursor.executemany("SELECT %s", [[1]])):
                with pytest.raises(NotSupportedError, match="a pipeline would send statements without their tenant"):
                    send()
        assert Product.objects.count() == 1

    assert snapshot(admin, acme) == before
