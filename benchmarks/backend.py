"""The cost of row-level security through the ORM, against stock Django that filters by tenant itself.

    make bench            # python -m benchmarks.backend

They read the same rows of the same table over one connection each, in turns. Stock Django connects as a
superuser, whom no policy slows down, and writes the tenant into each query; a third run leaves the filter out.
Only one tenant has rows, so all three read the same. Prints the median of the ratios of the rounds, with the first
and third quartile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

from django.db import transaction

from benchmarks import common
from core.models import Product
from rls import tenant_context
from tests.support.world import make_tenant

ROUNDS = 20
REPEATS = 60
PRODUCTS = 200


def seconds(read: Callable[[], object], around: Callable[[], AbstractContextManager[object]], queries: int) -> float:
    """How long `REPEATS` requests of so many queries take; a request of several is one transaction."""
    started = time.perf_counter()
    for _ in range(REPEATS):
        with around():
            for _ in range(queries):
                read()
    return time.perf_counter() - started


def compare(tenant_id: UUID, queries: int, in_transaction: bool) -> tuple[list[float], list[float]]:
    """The ratios of each round: ours to stock Django with its filter, and to the same query without any."""

    def ours() -> object:
        return list(Product.objects.order_by("-created_at", "-id")[:20])

    def filtered() -> object:
        return list(Product.objects.using("stock").filter(tenant_id=tenant_id).order_by("-created_at", "-id")[:20])

    def bare() -> object:
        return list(Product.objects.using("stock").order_by("-created_at", "-id")[:20])

    def block(alias: str) -> Callable[[], AbstractContextManager[object]]:
        return (lambda: transaction.atomic(using=alias)) if in_transaction else nullcontext

    runs = [(ours, block("default")), (filtered, block("stock")), (bare, block("stock"))]
    to_filtered, to_bare = [], []
    with tenant_context(tenant_id):
        for number in range(ROUNDS):
            order = [(number + step) % 3 for step in range(3)]
            taken = {which: seconds(*runs[which], queries) for which in order}
            to_filtered.append(taken[0] / taken[1])
            to_bare.append(taken[0] / taken[2])
    return to_filtered, to_bare


def main() -> None:
    with common.database() as (server, _):
        world = make_tenant("acme", "Acme")
        with tenant_context(world.id):
            Product.objects.bulk_create(
                Product(sku=f"S-{number}", name=f"Thing {number}", price_minor=number, currency="EUR")
                for number in range(PRODUCTS)
            )
        print(f"{server.source}; {ROUNDS} interleaved rounds of {REPEATS} requests; a list of 20 rows")
        for queries, in_transaction in ((1, False), (5, False), (5, True)):
            ratios = compare(world.id, queries, in_transaction)
            to_filtered, to_bare = map(common.shown, ratios)
            kind = "one transaction" if in_transaction else "autocommit"
            print(f"  {queries} queries, {kind}: {to_filtered} stock with its filter, {to_bare} without")


if __name__ == "__main__":
    main()
