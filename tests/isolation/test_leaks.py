"""Case 23: nothing of another tenant in rows, messages, plans or statistics."""

from __future__ import annotations

import os

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from psycopg.errors import Diagnostic

from rls import tenant_context
from tests.support.world import World

# In rows of the other tenant only. As a regular expression, a number or JSON it is an error, which a `1` is not.
SECRET = "oracle(53170642"
SECRET_NUMBER = 53170642
DIVISION = "1 / (CASE WHEN name LIKE 'oracle%' OR price_minor > 50000000 THEN 0 ELSE 1 END)"
RAISE = "CASE WHEN name LIKE 'oracle%' THEN app.no_tenant() END"

ORACLES = [
    "SELECT name::int FROM core_product",
    "SELECT name::numeric FROM core_product",
    "SELECT name::jsonb FROM core_product",
    "SELECT name::boolean FROM core_product",
    "SELECT name FROM core_product WHERE name::int > 0",
    "SELECT name FROM core_product WHERE 'x' ~ name",
    "SELECT name FROM core_product WHERE name LIKE 'oracle%'",
    "SELECT name FROM core_product WHERE price_minor::numeric > 50000000.0",
    "SELECT name FROM core_product WHERE to_jsonb(core_product) ->> 'name' LIKE 'oracle%'",
    'SELECT name FROM core_product WHERE to_jsonb(core_product) @> \'{"currency": "XTS"}\'',
    f"SELECT {DIVISION} FROM core_product",
    f"SELECT name FROM core_product WHERE {DIVISION} = 1",
    f"SELECT name FROM core_product WHERE price_minor > 50000000 AND {DIVISION} = 1",
    f"SELECT name FROM core_product WHERE (name, {DIVISION}) > ('', 0)",
    f"SELECT name FROM core_product WHERE {RAISE} IS NULL",
    f"SELECT count({RAISE}) FROM core_product",
    "SELECT name FROM core_product ORDER BY name::int",
    "SELECT max(name::int) FROM core_product GROUP BY sku HAVING bool_and(name::int > 0)",
    "SELECT sum(name::int) OVER (ORDER BY name::int) FROM core_product",
    "SELECT generate_series(1, name::int) FROM core_product",
    "SELECT p.n FROM core_tenant, LATERAL (SELECT name::int AS n FROM core_product) AS p",
    "SELECT (SELECT name FROM core_product)",
    "SELECT a.name FROM core_product AS a JOIN core_product AS b ON b.name::int = a.name::int",
    "SELECT EXISTS (SELECT FROM core_product WHERE currency = 'XTS'), count(*) FROM core_product",
    "SELECT name FROM core_product WHERE ctid IN ('(0,1)', '(0,2)', '(0,3)', '(0,4)', '(0,5)')",
    "UPDATE core_product SET stock = name::int",
    f"UPDATE core_product SET stock = 1 WHERE {DIVISION} = 1",
    "DELETE FROM core_product WHERE name::int = 0",
    "MERGE INTO core_product AS p USING core_product AS q ON p.name::int = q.name::int"
    " WHEN MATCHED THEN UPDATE SET stock = 1",
    "SELECT name FROM core_product WHERE name::int = 1 FOR UPDATE",
]

WHERE_SECRET = "CASE WHEN name LIKE 'oracle%' THEN {} ELSE {} END"

# What an error would quote, and a plan that is executed with it.
MESSAGES = [
    "UPDATE core_product SET stock = " + WHERE_SECRET.format("-1", "stock"),
    "UPDATE core_product SET currency = " + WHERE_SECRET.format("NULL", "currency"),
    "UPDATE core_product SET sku = left(name, 6)",
    "SELECT name FROM core_product WHERE id = '{id}' FOR UPDATE NOWAIT",
    "INSERT INTO core_product (id, sku, name, price_minor, currency, stock, is_active)"
    " VALUES ('{id}', 'x', 'x', 1, 'EUR', 0, true)"
    " ON CONFLICT (id) DO UPDATE SET stock = 1 RETURNING core_product.name",
    *(
        f"EXPLAIN (ANALYZE, VERBOSE, {options}) {statement}"
        for options in ("FORMAT JSON", "BUFFERS, SETTINGS, FORMAT XML")
        for statement in ("SELECT name::int FROM core_product", "UPDATE core_product SET stock = name::int")
    ),
]

STATISTICS = [
    "SELECT * FROM pg_stats",
    "SELECT stavalues1::text, stavalues2::text FROM pg_statistic",
    "SELECT values FROM pg_statistic_ext_data, pg_mcv_list_items(stxdmcv)",
    "SELECT query FROM pg_stat_activity",
]

FIELDS = (
    *("message_primary", "message_detail", "message_hint", "context", "internal_query"),
    *("schema_name", "table_name", "column_name", "datatype_name", "constraint_name"),
)


def prepare(acme: World, globex: World, admin: psycopg.Connection) -> None:
    """A row of Acme on which no statement above fails, and a hundred of Globex on which nearly every one would."""
    admin.execute("UPDATE core_product SET sku = '1', name = '1' WHERE tenant_id = %s", [acme.id])
    admin.execute(
        "UPDATE core_product SET sku = %s, name = %s, price_minor = %s, currency = 'XTS' WHERE tenant_id = %s",
        [SECRET, SECRET, SECRET_NUMBER, globex.id],
    )
    admin.execute(
        "INSERT INTO core_product (tenant_id, sku, name, price_minor, currency, stock, is_active)"
        " SELECT tenant_id, sku || n, name, price_minor, currency, stock, is_active"
        " FROM core_product, generate_series(1, 99) AS n WHERE tenant_id = %s",
        [globex.id],
    )


def everything(statement: str, world: World) -> tuple[str, str]:
    """All that comes back, rows or error, and the notices beside it; what was written is rolled back."""
    notices: list[str] = []

    def hear(diagnostic: Diagnostic) -> None:
        notices.append(told(diagnostic))

    with tenant_context(world.id), transaction.atomic():
        connection.ensure_connection()
        raw = connection.connection
        raw.add_notice_handler(hear)
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL client_min_messages = debug1")
                cursor.execute(statement)
                answer = str((cursor.description, cursor.rowcount, cursor.fetchall() if cursor.description else []))
        except DatabaseError as error:
            answer = str(error) + told(getattr(error.__cause__, "diag", None))
        finally:
            raw.remove_notice_handler(hear)
        transaction.set_rollback(True)
    return answer, str(notices)


def told(diagnostic: Diagnostic | None) -> str:
    """Every text of an error or a notice."""
    return str([getattr(diagnostic, field, None) for field in FIELDS])


def assert_silent(seen: str, globex: World) -> None:
    for secret in (SECRET, str(SECRET_NUMBER), "Globex", str(globex.id)):
        assert secret not in seen


@pytest.mark.parametrize("statement", ORACLES)
def test_a_statement_answers_as_if_there_were_no_other_tenant(
    statement: str, acme: World, globex: World, admin: psycopg.Connection
) -> None:
    prepare(acme, globex, admin)

    answer, notices = everything(statement, acme)
    for table in ("core_orderitem", "core_stockmovement", "core_productterm", "core_product"):
        admin.execute(f"DELETE FROM {table} WHERE tenant_id = %s", [globex.id])
    alone, _ = everything(statement, acme)

    assert answer == alone
    assert_silent(answer + notices, globex)


@pytest.mark.parametrize("statement", MESSAGES)
def test_no_message_and_no_plan_holds_a_value_of_another_tenant(
    statement: str, acme: World, globex: World, admin: psycopg.Connection
) -> None:
    prepare(acme, globex, admin)

    seen = "".join(everything(statement.replace("{id}", str(globex.product_id)), acme))

    assert_silent(seen, globex)


@pytest.mark.parametrize("statement", STATISTICS)
def test_statistics_hold_no_value_of_another_tenant(
    statement: str, acme: World, globex: World, admin: psycopg.Connection
) -> None:
    prepare(acme, globex, admin)
    admin.execute("CREATE STATISTICS common (mcv) ON name, price_minor FROM core_product; ANALYZE core_product")
    try:
        with psycopg.connect(os.environ["DATABASE_URL"]) as other:
            other.execute(f"SELECT '{SECRET}'")
            seen = "".join(everything(statement, acme))
            known = str(admin.execute(statement).fetchall())
    finally:
        admin.execute("DROP STATISTICS common")

    assert SECRET in known
    assert_silent(seen, globex)
