"""An installation of 30,000 tenants: what the platform lists and counts reads a part of it, and says what is estimated.

The plans say how many rows they have read.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from psycopg.conninfo import make_conninfo

from core.mcp_tools.tools.oversight import get_platform_stats
from core.services import platform_stats, tenants
from core.services.estimates import MAX_COUNTED_ROWS, Estimate
from tests.support import postgres
from tests.support.world import working

# One process fills the database, under `--dist loadgroup`.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("many tenants")]

TENANTS = 30_000
SUSPENDED = 30
# The last tenant has most of the newest orders, and the first one an old order of its own.
ROWS = f"""
SET session_replication_role = replica;
INSERT INTO core_tenant (name, subdomain, is_active, created_at)
SELECT 'Tenant ' || n, 'tenant-' || n, n > {SUSPENDED}, '2026-01-01'::timestamptz + n * interval '1 minute'
FROM generate_series(1, {TENANTS}) AS n;
INSERT INTO core_tenantuser (tenant_id, username, email, role)
SELECT id, 'ada', 'ada@x.example', 'staff' FROM core_tenant;
INSERT INTO core_order (tenant_id, number, status)
SELECT id, 1, 'draft' FROM core_tenant ORDER BY created_at;
INSERT INTO core_order (tenant_id, number, status)
SELECT t.id, n, 'draft' FROM core_tenant AS t CROSS JOIN generate_series(2, 8) AS n WHERE t.subdomain = 'tenant-29999';
INSERT INTO core_product (tenant_id, sku, name, price_minor, currency, stock, is_active)
SELECT id, 'A-1', 'Anvil', 100, 'EUR', 1, true FROM core_tenant WHERE subdomain = 'tenant-29999';
VACUUM ANALYZE;
"""


@pytest.fixture(scope="module")
def filled(postgres_server: postgres.Server, django_db_setup: str, django_db_blocker: Any) -> Iterator[str]:
    """A database of its own. Gives its name."""
    with django_db_blocker.unblock(), postgres_server.database(f"many_{os.getpid()}") as name:
        with closing(psycopg.connect(make_conninfo(postgres_server.admin_url, dbname=name), autocommit=True)) as admin:
            for statement in ROWS.split(";\n"):
                admin.execute(statement)
        postgres.use(postgres_server.urls(django_db_setup))
        yield name
    postgres.use(postgres_server.urls(django_db_setup))


@pytest.fixture
def connected(db: None, filled: str, postgres_server: postgres.Server, database: str) -> Iterator[None]:
    """Django's connections go to the database of many tenants."""
    postgres.use(postgres_server.urls(filled))
    yield
    connections.close_all()
    postgres.use(postgres_server.urls(database))


@pytest.fixture
def many(connected: None) -> Iterator[None]:
    """The same, in a platform context."""
    with working():
        yield


def plans(read: Callable[[], object]) -> list[dict[str, Any]]:
    """The plan of each statement that it sends."""
    with CaptureQueriesContext(connections["platform"]) as captured:
        read()
    found = []
    for query in captured.captured_queries:
        statement = query["sql"].rpartition("SET LOCAL app.platform_audit_id=")[2].partition(";")[2] or query["sql"]
        with connections["platform"].cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + statement)
            [(explained,)] = cursor.fetchall()
        [plan] = json.loads(explained) if isinstance(explained, str) else explained
        found.append(plan["Plan"])
    return found


def most_rows(plan: dict[str, Any]) -> float:
    """The most rows that a node of the plan has read, those included that a filter has taken out."""
    loops = plan["Actual Loops"]
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * loops
    return max([own, *map(most_rows, plan.get("Plans", []))])


def test_a_page_of_tenants_reads_a_page(many: None) -> None:
    [first] = plans(lambda: tenants.page(limit=20, cursor=None))
    found, cursor = tenants.page(limit=20, cursor=None)
    [second] = plans(lambda: tenants.page(limit=20, cursor=cursor))

    assert [facts.user_count for facts in found] == [1] * 20
    # One to know that there are more, and the last one of the page before.
    assert most_rows(first) == 21
    assert most_rows(second) == 22


def test_figures_read_no_more_than_they_count_to(many: None) -> None:
    totals, candidates, figures = plans(platform_stats.get)

    # One for each of the five figures, and one to know that there are more.
    assert most_rows(totals) == MAX_COUNTED_ROWS + 1
    assert most_rows(candidates) == MAX_COUNTED_ROWS
    assert most_rows(figures) < 50


def test_what_is_large_is_estimated(many: None) -> None:
    figures = platform_stats.get()

    assert figures.active == Estimate(29_970, is_exact=False)
    assert figures.suspended == Estimate(SUSPENDED, is_exact=True)
    assert figures.users == figures.orders == Estimate(30_000, is_exact=False)
    assert figures.products == Estimate(1, is_exact=True)
    assert (figures.largest[0].subdomain, figures.largest[0].orders) == ("tenant-29999", 8)
    assert len(figures.largest) == platform_stats.MAX_TENANTS


@pytest.mark.parametrize(
    ("language", "first", "second"),
    [
        (
            "en",
            "about 29,970 active tenants, 30 suspended; about 30,000 users, 1 products, about 30,000 orders.",
            "The tenants with most of the newest 10,000 orders:",
        ),
        (
            "zh-hant",
            "約 29,970 個租戶啟用、30 個停用；約 30,000 位用戶、1 項商品、約 30,000 筆訂單。",
            "最新 10,000 筆訂單中，訂單最多的租戶：",
        ),
    ],
)
def test_an_estimate_is_said_to_be_one(language: str, first: str, second: str, many: None) -> None:
    with translation.override(language):
        answer = get_platform_stats()
        lines = answer.text().split("\n")

    assert answer.estimates == ["tenants_active", "users", "orders"]
    assert lines[:2] == [first, second]
    assert "tenant-29999" in lines[2]


def test_the_command_lists_all_of_them_a_part_at_a_time(connected: None) -> None:
    listed = io.StringIO()
    call_command("tenants", "list", reason="a look", stdout=listed)
    with working(), CaptureQueriesContext(connections["platform"]) as few:
        first = next(tenants.find())

    lines = listed.getvalue().splitlines()
    assert len(lines) == TENANTS
    assert lines[-1].startswith(f"tenant-{TENANTS}\tTenant {TENANTS}\tactive\t1 users\t")
    assert first.subdomain == "tenant-1"
    assert len(few) == 1
