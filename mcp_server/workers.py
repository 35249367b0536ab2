"""Where blocking code runs: worker threads, as many as the database pool has connections, so none waits for one.

A tenant has a part of them at a time (`mcp_server.turns`): its calls that wait for each other keep no other waiting.

# Note [Called off]
A thread can't be cancelled, and goes on after the client has cancelled its request, hung up, or the server ends. So
whoever is cancelled here tells the thread and waits for it: its statement is cancelled, its transaction rolled back.
Before a change commits it asks for leave (`decide`). What was cancelled before is refused, and rolls back; what is
cancelled later is done all the same, and answered. Where a message may cancel it, leave is asked for in the event loop,
in which the SDK reads that message and acts on it.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar, copy_context
from datetime import tzinfo
from typing import Generic, ParamSpec, Protocol, TypeVar
from weakref import WeakKeyDictionary

import anyio
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.utils import timezone, translation

import rls
from mcp_server import configuration
from mcp_server.call import cancellation
from mcp_server.jobs import Threads
from mcp_server.turns import Turns, TurnsOfTenants
from rls.backends.interruption import CalledOff, called_off_when

P = ParamSpec("P")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class Pool:
    """The workers of one event loop, and the turns that calls take at them."""

    def __init__(self) -> None:
        self.count = count = configuration.worker_count()
        # How many work, and how many calls wait for their turn, now.
        self.busy = self.waiting = 0
        self.threads = Threads("mcp-worker")
        self.turns = asyncio.Semaphore(count)
        self.of_tenants = TurnsOfTenants(count)


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()


class Work:
    """What one call does in a worker. See Note [Called off]."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_decided = False
        self._is_called_off = False
        self._request = cancellation.current()
        # The loop calls off, and a thread decides.
        self._deciding = threading.Lock()

    def call_off(self) -> None:
        """End it, unless it is decided already."""
        with self._deciding:
            self._is_called_off = True

    def is_called_off(self) -> bool:
        """Whether nobody waits for it, and nothing is decided."""
        return not self.is_decided and (self._is_called_off or self._request.is_cancelled())

    def decided(self) -> bool:
        """Called in a thread: whether it may be done. If so, it is."""
        if not self._request.is_cancelled_by_message:
            return self._decide()
        answer: Future[bool] = Future()
        self.loop.call_soon_threadsafe(lambda: answer.set_result(self._decide()))
        return answer.result()

    def _decide(self) -> bool:
        with self._deciding:
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
    # Django keeps language and time zone for a thread (asgiref's Local), so the worker is told those of this task.
    spoken = translation.get_language(), timezone.get_current_timezone()
    call = functools.partial(function, *args, **kwargs)
    async with Turn() as pool:
        work = Work()
        token = _work.set(work)
        try:
            attended = functools.partial(copy_context().run, _attended, work, spoken, call)
            return await _to_its_end(work, pool.threads.start(attended))
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
            except SystemExit as error:
                raise _ending(error) from error
            finally:
                await sync_to_async(connections.close_all)()

    async with Turn():
        task = AsyncJob(asyncio.ensure_future(call()))
        return await _to_its_end(work, task, on_cancel=task.cancel)


def decide() -> None:
    """Called in a worker before a change commits: from now on no cancellation counts. Raises CalledOff."""
    work = _work.get()
    if work is not None and not work.decided():
        raise CalledOff


def is_decided() -> bool:
    """Whether the change of this worker may have been committed."""
    work = _work.get()
    return work is not None and work.is_decided


def pools() -> list[Pool]:
    """Those of the event loops that run. It may be called in any thread."""
    return [pool for loop, pool in list(_pools.items()) if loop.is_running()]


class Ending(Protocol[R_co]):
    """What goes on behind our back, until it has ended."""

    @property
    def is_done(self) -> bool: ...

    async def ended(self) -> None: ...

    def result(self) -> R_co: ...


class AsyncJob(Generic[T]):
    """A job of the event loop itself."""

    def __init__(self, task: asyncio.Future[T]) -> None:
        self._task = task
        self.cancel = task.cancel
        # Nobody else may look at its error.
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    @property
    def is_done(self) -> bool:
        return self._task.done()

    async def ended(self) -> None:
        """Wait for its end, and leave it alone when we are cancelled: to await it would cancel it too."""
        await asyncio.wait([self._task])

    def result(self) -> T:
        """What it has returned. Raises what it has raised."""
        return self._task.result()


async def _to_its_end(work: Work, job: Ending[R_co], on_cancel: Callable[[], object] = lambda: None) -> R_co:
    """The result, after whatever cancels us: nothing goes on behind our back. See Note [Called off]."""
    try:
        await job.ended()
    except asyncio.CancelledError:
        work.call_off()
        on_cancel()
        await _end_of(job)
        # A change that is committed is answered, even to a client that has cancelled: it can't be taken back.
        if not work.is_decided:
            raise
    try:
        return job.result()
    except CalledOff:
        raise asyncio.CancelledError from None


async def _end_of(job: Ending[R_co]) -> None:
    # Cancelled again and again, as at the end of a server, we still wait: whoever left now would leave a thread behind
    # that holds a connection, and may commit what nobody hears of.
    while not job.is_done:
        with suppress(asyncio.CancelledError), anyio.CancelScope(shield=True):
            await job.ended()


def _attended(work: Work, spoken: tuple[str | None, tzinfo], call: Callable[[], T]) -> T:
    # In a copy of the task's context, which ends with the call: nothing has to be set back.
    language, zone = spoken
    translation.activate(language) if language else translation.deactivate_all()
    timezone.activate(zone)
    try:
        with called_off_when(work.is_called_off):
            if work.is_called_off():
                raise CalledOff
            return call()
    except (StopIteration, SystemExit, KeyboardInterrupt, asyncio.CancelledError) as error:
        raise _ending(error) from error
    finally:
        connections.close_all()


def _ending(error: BaseException) -> RuntimeError:
    """What is raised in the event loop in place of an error that would end more there than the call: the loop itself,
    with all that others have under way (sys.exit), or whoever waits.
    """
    return RuntimeError(f"a function raised {type(error).__name__}")


class Turn:
    """Within the block, one worker is used: of those of the tenant whose context is open, if one is, and of all.

    Who has a turn already waits for no other one, as an async tool that reads a resource: if all who have one did, they
    would wait for each other for ever.
    """

    def __init__(self) -> None:
        self.is_taken = False
        tenant_id = rls.current_tenant_id()
        self._pool = _pool()
        self._turns: list[Turns | asyncio.Semaphore] = []
        if (around := _turn.get()) is None or not around.is_taken:
            own = [] if tenant_id is None else [self._pool.of_tenants.of(tenant_id)]
            self._turns = [*own, self._pool.turns]
        self._held: list[Turns | asyncio.Semaphore] = []

    async def __aenter__(self) -> Pool:
        self._pool.waiting += 1
        try:
            for turns in self._turns:
                await turns.acquire()
                self._held.append(turns)
        except BaseException:
            self._release()
            raise
        finally:
            self._pool.waiting -= 1
        self._pool.busy += 1
        self.is_taken = True
        self._token = _turn.set(self)
        return self._pool

    async def __aexit__(self, *error: object) -> None:
        _turn.reset(self._token)
        self.is_taken = False
        self._pool.busy -= 1
        self._release()

    def _release(self) -> None:
        for turns in reversed(self._held):
            turns.release()


# The one that the current task has taken, or whoever has begun it.
_turn: ContextVar[Turn | None] = ContextVar("mcp_turn", default=None)


def _pool() -> Pool:
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = Pool()
    return pool
