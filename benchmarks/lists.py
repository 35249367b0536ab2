"""What row-level security costs each list and aggregate at 100 tenants with 10,000 products each.

    python -m benchmarks.lists > table.md

Each statement that a service sends is run in turns on two sides, in one run: by Django's cursor of `default`, where the
policy filters and the tenant goes with the statement; and by that of `stock`, Django's own backend as a superuser whom
no policy binds, with the tenant's filter written into each table's place. Both sides must return the same rows.

Prints the median of the ratios, with the first and third quartile, and the time of a call here.
"""

from __future__ import annotations

import re
import statistics
import time
from contextlib import closing
from typing import Any
from uuid import UUID

import psycopg
from django.db import connections
from psycopg.conninfo import make_conninfo

from benchmarks import common
from rls import tenant_context
from rls.testing.server import disconnect
from tests.support import large
from tests.support.reads import LISTS, WHOLE

ROUNDS = 20
REPEATS = 5
# The other one's GROUP BY stands on the key of a table, which a sub-select in its place has not.
CASES = [case for case in (*LISTS, *WHOLE) if case.name != "the tenant"]
TABLE = re.compile(r'(FROM|JOIN) ("core_\w+")( U\d+)?')
# No parallel workers: the processes of one statement would race each other on a small machine.
SERIAL = "ALTER DATABASE {} SET max_parallel_workers_per_gather = 0"


def filtered(statement: str, tenant_id: UUID) -> str:
    """The statement with the tenant's filter on each table, for whoever no policy binds."""

    def source(match: re.Match[str]) -> str:
        word, table, alias = match.groups()
        key = "id" if table == '"core_tenant"' else "tenant_id"
        return f"{word} (SELECT * FROM {table} WHERE {key} = '{tenant_id}'){alias or f' AS {table}'}"

    return TABLE.sub(source, statement)


def seconds(cursor: Any, statements: list[str]) -> float:
    """How long the statements take, results and all."""
    started = time.perf_counter()
    for statement in statements * REPEATS:
        cursor.execute(statement)
        cursor.fetchall()
    return time.perf_counter() - started


def rows(cursor: Any, statements: list[str]) -> list[list[Any]]:
    """What each statement returns, in a fixed order."""
    found = []
    for statement in statements:
        cursor.execute(statement)
        found.append(sorted(map(repr, cursor.fetchall())))
    return found


def main() -> None:
    with common.database() as (server, name):
        with closing(psycopg.connect(make_conninfo(server.admin_url, dbname=name), autocommit=True)) as admin:
            admin.execute(SERIAL.format(name))
            large.fill(admin)
            [(tenant_id,)] = admin.execute("SELECT id FROM core_tenant WHERE subdomain = %s", [large.LARGEST])
            [(version,)] = admin.execute("SHOW server_version")
        print("| read | statements | policy + prefix | ms |")
        print("|---|---|---|---|")
        with (
            tenant_context(tenant_id),
            connections["default"].cursor() as ours,
            connections["stock"].cursor() as stock,
        ):
            for case in CASES:
                statements, _ = case.sent()
                by_hand = [filtered(statement, tenant_id) for statement in statements]
                if rows(ours, statements) != rows(stock, by_hand):
                    raise SystemExit(f"{case.name}: the sides read different rows")
                pairs = [
                    (seconds(ours, statements), seconds(stock, by_hand))
                    if number % 2
                    else (seconds(stock, by_hand), seconds(ours, statements))[::-1]
                    for number in range(ROUNDS + 1)
                ][1:]  # the first one warms up
                ratios = [mine / theirs for mine, theirs in pairs]
                each = statistics.median(mine for mine, _ in pairs) / REPEATS * 1000
                print(f"| {case.name} | {len(statements)} | {common.shown(ratios)} | {each:.1f} |", flush=True)
        disconnect()
        print()
        print(
            f"PostgreSQL {version}; {large.TENANTS} tenants with {large.PRODUCTS:,} products each, and "
            f"{large.ORDERS_OF_THE_LARGEST:,} orders of the one that reads; {ROUNDS} rounds in turns; median (first to "
            "third quartile)."
        )


if __name__ == "__main__":
    main()
