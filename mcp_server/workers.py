"""Where blocking code runs: worker threads, as many as the database pool has connections, so none waits for one.

A tenant has at most half of them at a time: its calls that wait for each other keep no other tenant waiting.

# Note [Called off]
A thread can't be cancelled, and goes on after the client has cancelled its request, hung up, or the server ends. So
whoever is cancelled here tells the thread and waits for it: its statement is cancelled, its transaction rolled back.
Before a change commits it asks for leave (`decide`), in the event loop, where cancellations arrive. What was cancelled
before is refused, and rolls back; what is cancelled later is done all the same, and answered.
"""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from datetime import tzinfo
from typing import Any, ParamSpec, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.lowlevel import RunVar
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.utils import timezone, translation

import rls
from mcp_server import configuration
from mcp_server.call import cancellation
from rls.backends.interruption import CalledOff, called_off_when

P = ParamSpec("P")
T = TypeVar("T")

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("mcp_worker_limiter")
_no_limit: RunVar[anyio.CapacityLimiter] = RunVar("mcp_worker_no_limit")
# Those of tenants that have calls now.
_of_tenants: RunVar[WeakValueDictionary[UUID, anyio.CapacityLimiter]] = RunVar("mcp_worker_limiters_of_tenants")


class Work:
    """What one call does in a worker. See Note [Called off]."""

    def __init__(self) -> None:
        self.is_decided = False
        self._is_called_off = False
        self._request = cancellation.current()

    def call_off(self) -> None:
        """End it, unless it is decided already."""
        self._is_called_off = True

    def is_called_off(self) -> bool:
        """Whether nobody waits for it, and nothing is decided."""
        return not self.is_decided and (self._is_called_off or self._request.is_cancelled())

    def decide(self) -> bool:
        """Called in the event loop: whether it may be done. If so, it is."""
        if not self.is_called_off():
            self._request.settle()
            self.is_decided = True
        return self.is_decided


_work: ContextVar[Work | None] = ContextVar("mcp_work", default=None)


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a blocking function in a worker thread, with this task's context; then return its connections to the pool.

    It waits for its turn without a limit. Returns and raises what the function does; raises asyncio.CancelledError
    where it was called off.
    """
    # Django keeps language and time zone for a thread, so the worker is told those of this task.
    spoken = functools.partial(_in, translation.get_language(), timezone.get_current_timezone())
    call = functools.partial(_returning_connections, functools.partial(spoken, function, *args, **kwargs))
    async with Turn():
        work = Work()
        token = _work.set(work)
        try:
            thread = anyio.to_thread.run_sync(_attended, work, call, limiter=_unlimited())
            return await _to_its_end(work, asyncio.ensure_future(thread))
        finally:
            _work.reset(token)


async def run_async(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Await a function that uses Django's async ORM: it has a thread and a connection of its own, returned at the end.

    Waits, returns and raises as `run` does. Without it all async ORM calls of the process would take turns in one
    thread (asgiref, "Threading").
    """
    work = Work()

    async def call() -> T:
        async with ThreadSensitiveContext():
            try:
                with called_off_when(work.is_called_off):
                    return await function(*args, **kwargs)
            finally:
                await sync_to_async(connections.close_all)()

    async with Turn():
        return await _to_its_end(work, asyncio.ensure_future(call()), cancels=True)


def decide() -> None:
    """Called in a worker before a change commits: from now on no cancellation counts. Raises CalledOff."""
    work = _work.get()
    if work is not None and not anyio.from_thread.run_sync(work.decide):
        raise CalledOff


def is_decided() -> bool:
    """Whether the change of this worker may have been committed."""
    work = _work.get()
    return work is not None and work.is_decided


def _in(language: str | None, zone: tzinfo, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with translation.override(language), timezone.override(zone):
        return function(*args, **kwargs)


async def _to_its_end(work: Work, task: asyncio.Task[T], *, cancels: bool = False) -> T:
    """The result, after whatever cancels us: nothing goes on behind our back. See Note [Called off]."""
    try:
        # `wait` leaves the task alone when we are cancelled, where awaiting it would cancel it too.
        await asyncio.wait([task])
    except asyncio.CancelledError:
        work.call_off()
        if cancels:
            task.cancel()
        await _end_of(task)
        # A change that is committed is answered, even to a client that has cancelled: it can't be taken back.
        if not work.is_decided:
            raise
    if not task.cancelled() and isinstance(task.exception(), CalledOff):
        raise asyncio.CancelledError
    return task.result()


async def _end_of(task: asyncio.Task[Any]) -> None:
    # Cancelled again and again, as at the end of a server, we still wait: whoever left now would leave a thread behind
    # that holds a connection, and may commit what nobody hears of.
    while not task.done():
        with suppress(asyncio.CancelledError), anyio.CancelScope(shield=True):
            await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # nobody else may look at it


def _attended(work: Work, call: Callable[[], T]) -> T:
    with called_off_when(work.is_called_off):
        if work.is_called_off():
            raise CalledOff
        return call()


def _returning_connections(call: Callable[[], T]) -> T:
    try:
        return call()
    finally:
        connections.close_all()


class Turn:
    """Within the block, one worker is used: of those of the tenant whose context is open, if one is, and of all."""

    def __init__(self) -> None:
        tenant_id = rls.current_tenant_id()
        self._limiters = [*([] if tenant_id is None else [_limiter_of(tenant_id)]), _shared_limiter()]
        self._held: list[anyio.CapacityLimiter] = []

    async def __aenter__(self) -> None:
        try:
            for limiter in self._limiters:
                await _acquire(limiter)
                self._held.append(limiter)
        except BaseException:
            self._release()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._release()

    def _release(self) -> None:
        for limiter in reversed(self._held):
            limiter.release()


async def _acquire(limiter: anyio.CapacityLimiter) -> None:
    # `acquire` goes round the event loop even where nobody is in the way.
    try:
        limiter.acquire_nowait()
    except anyio.WouldBlock:
        await limiter.acquire()


def _limiter_of(tenant_id: UUID) -> anyio.CapacityLimiter:
    try:
        limiters = _of_tenants.get()
    except LookupError:
        limiters = WeakValueDictionary()
        _of_tenants.set(limiters)
    # The caller holds it while it waits or works, and after the last one it goes.
    return limiters.setdefault(tenant_id, anyio.CapacityLimiter(max(1, configuration.worker_count() // 2)))


def _unlimited() -> anyio.CapacityLimiter:
    """For threads of which each has had its turn."""
    try:
        return _no_limit.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(math.inf)
        _no_limit.set(limiter)
        return limiter


def _shared_limiter() -> anyio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(configuration.worker_count())
        _limiter.set(limiter)
        return limiter
