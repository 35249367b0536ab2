"""The cost of row-level security through the ORM, against stock Django that filters by tenant itself.

    make bench            # python -m benchmarks.hook

Both read the same rows of the same table over one connection each, in turns. Stock Django connects as a
superuser, whom no policy slows down, and writes the tenant into each query. Prints the median of the ratios
of the rounds, with the first and third quartile.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.db import connections, transaction  # noqa: E402
from psycopg.conninfo import conninfo_to_dict  # noqa: E402

from core.models import Product  # noqa: E402
from rls import tenant_context  # noqa: E402
from tests import postgres  # noqa: E402
from tests.world import make_tenant  # noqa: E402

ROUNDS = 20
REPEATS = 60
PRODUCTS = 200


def add_stock_connection(server: postgres.Server, database: str) -> None:
    """`stock`: Django's own backend, as a superuser."""
    place = conninfo_to_dict(server.admin_url)
    connections.settings["stock"] = connections.settings["default"] | {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database,
        "USER": place["user"],
        "PASSWORD": place["password"],
        "OPTIONS": {},
    }


def seconds(read: Callable[[], object], around: Callable[[], AbstractContextManager[object]], queries: int) -> float:
    """How long `REPEATS` requests of so many queries take; a request of several is one transaction."""
    started = time.perf_counter()
    for _ in range(REPEATS):
        with around():
            for _ in range(queries):
                read()
    return time.perf_counter() - started


def compare(tenant_id: UUID, queries: int, in_transaction: bool) -> list[float]:
    """The ratio of each round: ours to stock."""

    def ours() -> object:
        return list(Product.objects.order_by("-created_at", "-id")[:20])

    def stock() -> object:
        return list(Product.objects.using("stock").filter(tenant_id=tenant_id).order_by("-created_at", "-id")[:20])

    def block(alias: str) -> Callable[[], AbstractContextManager[object]]:
        return (lambda: transaction.atomic(using=alias)) if in_transaction else nullcontext

    ratios = []
    with tenant_context(tenant_id):
        for number in range(ROUNDS):
            pair = [(ours, block("default")), (stock, block("stock"))]
            order = (0, 1) if number % 2 else (1, 0)
            taken = {which: seconds(*pair[which], queries) for which in order}
            ratios.append(taken[0] / taken[1])
    return ratios


def main() -> None:
    with postgres.running() as server, server.database(f"bench_{os.getpid()}") as database:
        postgres.use(server.urls(database))
        add_stock_connection(server, database)
        world = make_tenant("acme", "Acme")
        with tenant_context(world.id):
            Product.objects.bulk_create(
                Product(sku=f"S-{number}", name=f"Thing {number}", price_minor=number, currency="EUR")
                for number in range(PRODUCTS)
            )
        print(f"{server.source}; {ROUNDS} interleaved rounds of {REPEATS} requests; a list of 20 rows")
        for queries, in_transaction in ((1, False), (5, False), (5, True)):
            low, median, high = statistics.quantiles(compare(world.id, queries, in_transaction), n=4)
            kind = "one transaction" if in_transaction else "autocommit"
            print(f"  {queries} queries, {kind}: {median:.2f}x stock (quartiles {low:.2f}-{high:.2f})")
        connections.close_all()
        postgres.close_pool("default")
        postgres.close_pool("platform")


if __name__ == "__main__":
    main()
