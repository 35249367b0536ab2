"""The cost of row-level security through the ORM, against stock Django that filters by tenant itself.

    make bench            # python -m benchmarks.backend

They read the same rows of the same table over one connection each, in turns. Stock Django connects as a
superuser, whom no policy slows down, and writes the tenant into each query; a third run leaves the filter out.
Only one tenant has rows, so all three read the same. A context is open already, or the request opens it: as the
middleware does, whose resolver has just seen that the tenant is active, or with a statement of its own that asks.
Prints the median of the ratios of the rounds, with the first and third quartile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from benchmarks import common
from core.models import Product
from rls import tenant_context
from rls.context import checked_tenant_context
from tests.support.world import make_tenant

ROUNDS = 20
REPEATS = 60
PRODUCTS = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """What a request is: so many queries, in what it opens itself."""

    words: str
    queries: int
    opened: Callable[[UUID], AbstractContextManager[object]] | None = None
    in_transaction: bool = False


KINDS = [
    Kind("{queries} in a context that is open", 1),
    Kind("{queries} in a context that is open", 5),
    Kind("{queries} in a context that is open, one transaction", 5, in_transaction=True),
    Kind("{queries}, context opened by the middleware", 1, checked_tenant_context),
    Kind("{queries}, context opened by the middleware", 5, checked_tenant_context),
    Kind("{queries}, context opened by tenant_context, which asks whether the tenant is active", 1, tenant_context),
    Kind("{queries}, context opened by tenant_context, which asks whether the tenant is active", 5, tenant_context),
]


def seconds(request: Callable[[], object]) -> float:
    """How long `REPEATS` requests take."""
    started = time.perf_counter()
    for _ in range(REPEATS):
        request()
    return time.perf_counter() - started


def compare(tenant_id: UUID, kind: Kind) -> tuple[list[float], list[float]]:
    """The ratios of each round: ours to stock Django with its filter, and to the same queries without any."""

    def block(alias: str) -> AbstractContextManager[object]:
        return transaction.atomic(using=alias) if kind.in_transaction else nullcontext()

    def ours() -> None:
        with kind.opened(tenant_id) if kind.opened else nullcontext(), block("default"):
            for _ in range(kind.queries):
                list(Product.objects.order_by("-created_at", "-id")[:20])

    def filtered() -> None:
        with block("stock"):
            for _ in range(kind.queries):
                list(Product.objects.using("stock").filter(tenant_id=tenant_id).order_by("-created_at", "-id")[:20])

    def bare() -> None:
        with block("stock"):
            for _ in range(kind.queries):
                list(Product.objects.using("stock").order_by("-created_at", "-id")[:20])

    runs = [ours, filtered, bare]
    to_filtered, to_bare = [], []
    with nullcontext() if kind.opened else tenant_context(tenant_id):
        for number in range(ROUNDS):
            order = [(number + step) % 3 for step in range(3)]
            taken = {which: seconds(runs[which]) for which in order}
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
        print("| a request of | stock Django that filters by tenant itself | the same queries without any filter |")
        print("|---|---|---|")
        for kind in KINDS:
            to_filtered, to_bare = map(common.shown, compare(world.id, kind))
            queries = "1 query" if kind.queries == 1 else f"{kind.queries} queries"
            print(f"| {kind.words.format(queries=queries)} | {to_filtered} | {to_bare} |", flush=True)


if __name__ == "__main__":
    main()
