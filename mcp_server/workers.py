"""Where blocking code runs: worker threads, as many as the database pool has connections, so none waits for one."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import tzinfo
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.db import connections
from django.utils import timezone, translation

P = ParamSpec("P")
T = TypeVar("T")

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("mcp_worker_limiter")


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a blocking function in a worker thread, with this task's context; then return its connections.

    Django keeps language and time zone for a thread, so the worker is told those of this task.
    """
    spoken = functools.partial(_in, translation.get_language(), timezone.get_current_timezone())
    call = functools.partial(_returning_connections, functools.partial(spoken, function, *args, **kwargs))
    return await anyio.to_thread.run_sync(call, limiter=_shared_limiter())


@asynccontextmanager
async def own_connection() -> AsyncIterator[None]:
    """Within the block, Django's async ORM has a thread and a connection of its own, returned at the end.

    Without it all async ORM calls of the process would take turns in one thread.
    """
    async with _shared_limiter(), ThreadSensitiveContext():
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


def _shared_limiter() -> anyio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(settings.DATABASE_POOL_SIZE)
        _limiter.set(limiter)
        return limiter
