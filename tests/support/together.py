"""Many callers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar
from uuid import UUID

from django.db import connections

from rls import tenant_context

CALLERS = 16
T = TypeVar("T")


def together(tenant_id: UUID, call: Callable[[int], T], callers: int = CALLERS) -> list[T]:
    """The answers of so many callers that start together, each on a connection of its own."""
    start = Barrier(callers)

    def caller(index: int) -> T:
        try:
            with tenant_context(tenant_id):
                start.wait(timeout=300)
                return call(index)
        finally:
            connections.close_all()

    with as_many_connections(callers), ThreadPoolExecutor(callers) as threads:
        return list(threads.map(caller, range(callers)))


@contextmanager
def as_many_connections(callers: int) -> Iterator[None]:
    """Within the block the pool has one for each caller, and one for us."""
    pool = connections["default"].pool
    before = pool.min_size, pool.max_size
    pool.resize(before[0], callers + 1)
    try:
        yield
    finally:
        pool.resize(*before)
