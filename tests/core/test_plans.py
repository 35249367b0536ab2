"""Every list and aggregate at 100 tenants x 10,000 products: few statements, each by its index, nothing that leaks.

What is not leakproof waits behind the policy (PostgreSQL, 41.5 "Rules and Privileges"): an index can't begin with it,
and it is tried on each row of the tenant.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection, transaction
from psycopg.conninfo import make_conninfo

import rls
from mcp_server.ledger import snapshots
from tests.support import large, postgres
from tests.support.reads import LISTS, WHOLE, Case

# One process fills the database, under `--dist loadgroup`.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plans")]

# A row a tenant: to read all of them is to read a page or two.
SMALL = {"core_tenant", "core_tenantsettings"}
# The tenant of the context, or of the one row of core_tenant that it leaves in sight.
THE_TENANT = re.compile(r"\btenant_id = (\(InitPlan \d+\)\.col1|\$\d+|core_tenant\.id)")
OPERATORS = {"=", "<>", "<", "<=", ">", ">=", "= ANY"}
# Types whose comparisons are leakproof, which a test below asks PostgreSQL.
TYPES = {"bigint", "boolean", "integer", "text", "text[]", "timestamp with time zone", "uuid", "uuid[]", "varchar"}
COMPARISONS = """
SELECT DISTINCT concat_ws(' ', o.oprleft::regtype, o.oprname, o.oprright::regtype)
FROM pg_catalog.pg_operator AS o
JOIN pg_catalog.pg_proc AS p ON p.oid = o.oprcode
WHERE o.oprname IN ('=', '<>', '<', '<=', '>', '>=')
  AND o.oprleft = ANY (%(types)s::regtype[])
  AND o.oprright = ANY (%(types)s::regtype[])
  AND NOT p.proleakproof
"""


@pytest.fixture(scope="module")
def filled(postgres_server: postgres.Server, django_db_setup: str, django_db_blocker: Any) -> Iterator[str]:
    """A database of its own, because to fill it takes seconds. Gives its name."""
    with django_db_blocker.unblock(), postgres_server.database(f"plans_{os.getpid()}") as name:
        with psycopg.connect(make_conninfo(postgres_server.admin_url, dbname=name), autocommit=True) as admin:
            large.fill(admin)
        postgres.use(postgres_server.urls(django_db_setup))
        yield name
    postgres.use(postgres_server.urls(django_db_setup))


@pytest.fixture
def shop(db: None, filled: str, postgres_server: postgres.Server, database: str) -> Iterator[None]:
    """Django's connections go to the large database, into the context of the tenant with the most rows."""
    with psycopg.connect(make_conninfo(postgres_server.admin_url, dbname=filled)) as admin:
        [(tenant_id,)] = admin.execute("SELECT id FROM core_tenant WHERE subdomain = %s", [large.LARGEST])
    postgres.use(postgres_server.urls(filled))
    with rls.tenant_context(UUID(str(tenant_id))):
        yield
    connection.close()
    postgres.use(postgres_server.urls(database))


def plan_of(statement: str) -> list[dict[str, Any]]:
    """Each node of the plan, as the serving role gets it."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}")
        [(explained,)] = cursor.fetchall()
    plan = json.loads(explained) if isinstance(explained, str) else explained
    return list(nodes(plan[0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def indexes(plan: list[dict[str, Any]]) -> set[str]:
    return {node["Index Name"] for node in plan if "Index Name" in node}


def require_indexes(plan: list[dict[str, Any]], statement: str) -> None:
    """Each table is reached by an index that begins with the tenant, or row by row by its key."""
    for node in plan:
        table, condition = node.get("Relation Name", ""), node.get("Index Cond", "")
        if table not in SMALL:
            assert node["Node Type"] != "Seq Scan", f"{table} is read as a whole, all tenants' rows: {statement}"
        if "Index Name" in node and table not in SMALL:
            by_key = node["Index Name"].endswith("_pkey") and THE_TENANT.search(node.get("Filter", ""))
            assert by_key or THE_TENANT.search(condition), f"{node['Index Name']} is read across tenants: {statement}"


def require_leakproof(plan: list[dict[str, Any]]) -> None:
    """No condition calls a function, casts to a type or uses an operator whose comparison may tell what it saw."""
    names = ("Filter", "Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter")
    for condition in (node[name] for node in plan for name in names if name in node):
        text = re.sub(r"'(?:[^']|'')*'", "''", condition)
        assert not re.findall(r"\b(?!AND|OR|NOT|ANY|InitPlan|SubPlan)\w+\(", text), f"a function in {condition}"
        assert set(re.findall(r"::([a-z]+(?: [a-z]+)*(?:\[\])?)", text)) <= TYPES, f"a type of {condition}"
        operators = set(re.findall(r"(?<=[ ])[^\w\s()'\"$.,:\[\]]+(?: ANY)?(?=[ ])", text))
        assert operators <= OPERATORS, f"an operator of {condition}"


def require_good(statements: list[str], case: Case) -> None:
    plans = [plan_of(statement) for statement in statements]
    for plan, statement in zip(plans, statements, strict=True):
        require_indexes(plan, statement)
        require_leakproof(plan)
    assert case.indexes <= set().union(*map(indexes, plans))


@pytest.mark.parametrize("case", LISTS, ids=lambda case: case.name)
def test_a_list_takes_two_statements_at_most_by_its_index(case: Case, shop: None) -> None:
    first, page = case.sent()
    second, next_page = case.sent(page.cursor)

    assert len(page.rows) == 20
    assert next_page.rows
    assert len(first) == len(second) == case.statements <= 2
    require_good(first, case)
    require_good(second, case)


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_what_has_one_page_takes_few_statements_by_its_index(case: Case, shop: None) -> None:
    statements, _ = case.sent()

    assert len(statements) == case.statements <= (6 if case.name == "insights" else 2)
    require_good(statements, case)


def test_whether_something_has_changed_is_asked_of_an_index(shop: None) -> None:
    moment, _ = snapshots.now(None)
    statement = snapshots.LOOK.replace("%(since)s", f"'{moment.snapshot}'")

    plan = plan_of(statement)

    require_indexes(plan, statement)
    [condition] = [node["Index Cond"] for node in plan if node.get("Index Name") == "mcp_auditevent_transaction"]
    assert "transaction_id >= " in condition


def test_comparisons_of_the_types_that_conditions_have_are_leakproof(shop: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(COMPARISONS, {"types": [name for name in sorted(TYPES) if not name.endswith("[]")]})
        leaky = cursor.fetchall()

    assert leaky == []


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("name LIKE 'Thing 9%%'", "an operator"),
        ("name ILIKE '%%9'", "an operator"),
        ("upper(name) = 'THING 9'", "a function"),
        ("price_minor::numeric = 5.5", "a type"),
        ("to_jsonb(name) @> '1'", "a function"),
    ],
)
def test_a_leaky_condition_is_found(condition: str, why: str, shop: None) -> None:
    plan = plan_of(f"SELECT id FROM core_product WHERE {condition.replace('%%', '%')}")

    with pytest.raises(AssertionError, match=why):
        require_leakproof(plan)


def test_a_read_across_tenants_is_found(shop: None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for kind in ("indexscan", "indexonlyscan", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{kind} = off")
        plan = plan_of("SELECT count(*) FROM core_product")

    with pytest.raises(AssertionError, match="read as a whole"):
        require_indexes(plan, "")
