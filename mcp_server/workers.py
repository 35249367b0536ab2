"""Where blocking code runs: worker threads, as many as the database pool has connections, so none waits for one.

A tenant has at most half of them at a time: its calls that wait for each other keep no other tenant waiting.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import tzinfo
from typing import ParamSpec, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.db import connections
from django.utils import timezone, translation

import rls

P = ParamSpec("P")
T = TypeVar("T")

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("mcp_worker_limiter")
# Those of tenants that have calls now.
_of_tenants: RunVar[WeakValueDictionary[UUID, anyio.CapacityLimiter]] = RunVar("mcp_worker_limiters_of_tenants")


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a blocking function in a worker thread, with this task's context; then return its connections.

    Django keeps language and time zone for a thread, so the worker is told those of this task.
    """
    spoken = functools.partial(_in, translation.get_language(), timezone.get_current_timezone())
    call = functools.partial(_returning_connections, functools.partial(spoken, function, *args, **kwargs))
    async with _turn():
        return await anyio.to_thread.run_sync(call, limiter=_shared_limiter())


@asynccontextmanager
async def own_connection() -> AsyncIterator[None]:
    """Within the block, Django's async ORM has a thread and a connection of its own, returned at the end.

    Without it all async ORM calls of the process would take turns in one thread.
    """
    async with _turn(), _shared_limiter(), ThreadSensitiveContext():
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await sync_to_async(connections.close_all)()


def _in(language: str | None, zone: tzinfo, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with translation.override(language), timezone.override(zone):
        return function(*args, **kwargs)


def _returning_connections(call: Callable[[], T]) -> T:
    try:
        return call()
    finally:
        connections.close_all()


@asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    """Within the block, the tenant whose context is open uses one of its workers; without a tenant, nothing."""
    tenant_id = rls.current_tenant_id()
    if tenant_id is None:
        yield
        return
    async with _limiter_of(tenant_id):
        yield


def _limiter_of(tenant_id: UUID) -> anyio.CapacityLimiter:
    try:
        limiters = _of_tenants.get()
    except LookupError:
        limiters = WeakValueDictionary()
        _of_tenants.set(limiters)
    # The caller holds it while it waits or works, and after the last one it goes.
    return limiters.setdefault(tenant_id, anyio.CapacityLimiter(max(1, settings.DATABASE_POOL_SIZE // 2)))


def _shared_limiter() -> anyio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(settings.DATABASE_POOL_SIZE)
        _limiter.set(limiter)
        return limiter
