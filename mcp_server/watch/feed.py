"""What PostgreSQL says has changed (`Announce`), heard while somebody listens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import psycopg
from django.db import connections
from psycopg import AsyncConnection, AsyncCursor

from rls.context import PLATFORM_ALIAS

logger = logging.getLogger(__name__)

# Seconds between tries to connect, at first and at most.
FIRST_PAUSE, MAX_PAUSE = 0.5, 4.0
# Seconds until a silent connection is asked whether it lives, and until it has answered.
PROBE_INTERVAL = 5.0
PROBE_TIMEOUT = 5.0
# Seconds until a tenant is tried again that could not be watched, and until writers that last are waited for again.
RETRY_INTERVAL = 0.1
SETTLE_INTERVAL = 1.0
# Seconds that a listener waits for the connection: longer than two tries to connect, and an answer within ten.
CONNECT_TIMEOUT = 8.0


@dataclass(frozen=True, slots=True)
class RowChange:
    """Rows of one table and one tenant that were written; `ids` is None where they are too many to name."""

    tenant_id: UUID
    table: str
    ids: frozenset[UUID] | None

    @classmethod
    def parse(cls, message: str) -> Self | None:
        """The change that a payload of NOTIFY names: "<tenant's id> <table> <id>,<id>", or "*" for the ids.

        None for one that no trigger of ours has sent.
        """
        tenant_id, _, rest = message.partition(" ")
        table, _, ids = rest.rpartition(" ")  # a table may have a space in its name
        try:
            return cls(UUID(tenant_id), table, None if ids == "*" else frozenset(map(UUID, ids.split(","))))
        except ValueError:
            return None


# Told of each change of its tenant; of None where some may have been missed. It runs in no tenant context.
Listener = Callable[[RowChange | None], Awaitable[None]]


class Watch:
    """Those who listen to one tenant, and whether each of its changes reaches them."""

    def __init__(self) -> None:
        self.listeners: dict[object, Listener] = {}
        self.is_heard = asyncio.Event()

    async def tell(self, change: RowChange | None) -> None:
        """Tell all; whoever fails keeps nobody else from hearing it."""
        for listener in list(self.listeners.values()):
            try:
                await listener(change)
            except Exception:
                logger.exception("a listener failed")


class ChangeFeed:
    """One connection that listens, for all listeners of the process, while there are any.

    It needs no right on any table. A pooler in transaction mode can't carry it: LISTEN and locks belong to a session
    (PostgreSQL, "LISTEN").

    # Note [What is not announced]
    A change is announced where the feed has said that it watches the tenant (`app.watch_tenants`). A transaction that
    has asked before may still commit without a word. So a listener is let in after all such have ended
    (`app.await_writers`): what they have changed is there when it reads. It does not wait for one that lasts: then it
    is let in, and told that it may have missed something when that one has ended.
    """

    def __init__(self) -> None:
        self._watches: dict[UUID, Watch] = {}
        self._task: asyncio.Task[None] | None = None
        # Set where another tenant is watched, or one no more.
        self._is_changed = asyncio.Event()

    @asynccontextmanager
    async def subscribed(self, tenant_id: UUID, listener: Listener) -> AsyncIterator[None]:
        """Within the block, what is committed of the tenant reaches the listener.

        Raises TimeoutError: the database does not answer.
        """
        key = object()
        if self._task is None:
            # In a context of its own: whoever listens first has a tenant context open.
            self._is_changed = asyncio.Event()
            self._task = asyncio.create_task(self._hear(), context=Context())
        watch = self._watches.get(tenant_id)
        if watch is None:
            watch = self._watches[tenant_id] = Watch()
            self._is_changed.set()
        watch.listeners[key] = listener
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await watch.is_heard.wait()
            yield
        finally:
            del watch.listeners[key]
            if not watch.listeners:
                del self._watches[tenant_id]
                self._is_changed.set()
            if not self._watches and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _hear(self) -> None:
        pause = FIRST_PAUSE
        # Those who were heard before the connection was lost, and have missed what was announced meanwhile.
        interrupted: set[UUID] = set()
        while True:
            try:
                connection = await AsyncConnection.connect(**_parameters())
                try:
                    session = Session(connection, self._watches, interrupted)
                    await connection.execute("LISTEN tenant_changes")
                    while True:
                        self._is_changed.clear()
                        await session.follow()
                        pause = FIRST_PAUSE
                        for change in await session.changes(self._is_changed):
                            if watch := self._watches.get(change.tenant_id):
                                await watch.tell(change)
                finally:  # at once: who is cancelled twice waits for nothing
                    await connection.close()
            except (psycopg.Error, OSError, TimeoutError) as error:
                logger.warning("changes are not heard for a while", extra={"error": type(error).__name__})
            except Exception:
                # Nobody awaits this task: where it ended, all streams of the process would be silent for good.
                logger.exception("changes are not heard for a while")
            for tenant_id, watch in self._watches.items():
                if watch.is_heard.is_set():
                    interrupted.add(tenant_id)
                    watch.is_heard.clear()
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)


class Session:
    """What the feed has said over one connection. See Note [What is not announced].

    `late` are tenants whose listeners are told, as soon as every change is heard, that they may have missed some.
    """

    def __init__(self, connection: AsyncConnection[Any], watches: Mapping[UUID, Watch], late: set[UUID]) -> None:
        self._connection = connection
        self._watches = watches
        self._watched: set[UUID] = set()
        self._late = late
        # When the writers are waited for again, in the event loop's time.
        self._settle_at: float | None = None

    async def follow(self) -> None:
        """Watch the tenants that have listeners by now, and let those in who wait for it."""
        if gone := self._watched - self._watches.keys():
            await self._connection.execute("SELECT app.unwatch_tenants(%s)", [list(gone)])
            self._watched -= gone
        self._late &= self._watches.keys()
        watched: set[UUID] = set()
        if wanted := self._watches.keys() - self._watched:
            found = await self._connection.execute("SELECT app.watch_tenants(%s)", [list(wanted)])
            watched = {tenant_id async for (tenant_id,) in found}
            self._watched |= watched
        if watched or (self._settle_at is not None and self._settle_at <= asyncio.get_running_loop().time()):
            await self._settle(watched)
        for tenant_id in self._watched & self._watches.keys():
            self._watches[tenant_id].is_heard.set()

    async def changes(self, is_called: asyncio.Event) -> list[RowChange]:
        """What is announced next, each table of a tenant once; nothing where `follow` has something to do before."""
        is_quiet = self._settle_at is None and self._watches.keys() <= self._watched
        messages = await self._messages(PROBE_INTERVAL if is_quiet else RETRY_INTERVAL, is_called)
        if messages is None:
            return []
        if not messages and is_quiet:  # a network that has gone says nothing
            async with asyncio.timeout(PROBE_TIMEOUT):
                await self._connection.execute("SELECT 1")
        return merged(change for message in messages if (change := RowChange.parse(message)) is not None)

    async def _settle(self, watched: set[UUID]) -> None:
        """Wait for those who have not seen that these are watched, or see to it that their listeners are told later."""
        have_ended = await (await self._connection.execute("SELECT app.await_writers()")).fetchone()
        if have_ended != (True,):
            self._late |= watched
            self._settle_at = asyncio.get_running_loop().time() + SETTLE_INTERVAL
            return
        self._settle_at = None
        for tenant_id in self._late & self._watched:
            self._late.discard(tenant_id)
            if watch := self._watches.get(tenant_id):
                await watch.tell(None)

    async def _messages(self, patience: float, is_called: asyncio.Event) -> list[str] | None:
        """Those that have come, none after so many seconds, or None where `is_called` is set before."""
        hearing = asyncio.create_task(self._heard(patience))
        called = asyncio.create_task(is_called.wait())
        try:
            await asyncio.wait({hearing, called}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            called.cancel()
            # While it waits for the socket it has taken nothing from it, so nothing is lost.
            hearing.cancel()
            await ended(hearing)
        return None if hearing.cancelled() else hearing.result()

    async def _heard(self, patience: float) -> list[str]:
        return [each.payload async for each in self._connection.notifies(timeout=patience, stop_after=1)]


async def ended(task: asyncio.Task[Any]) -> None:
    """Wait for a task that was cancelled, also while we are cancelled ourselves.

    It leaves its socket as it ends. Who closes the socket before leaves the event loop waiting at a number that the
    next client to connect gets, whose request is then never read.
    """
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted is not None:
        raise interrupted


def merged(changes: Iterable[RowChange]) -> list[RowChange]:
    """The changes, those of one table of a tenant as one: listeners read the rows as they are now."""
    ids: dict[tuple[UUID, str], frozenset[UUID] | None] = {}
    for change in changes:
        place = (change.tenant_id, change.table)
        before = ids.get(place, frozenset())
        ids[place] = None if before is None or change.ids is None else before | change.ids
    return [RowChange(tenant_id, table, together) for (tenant_id, table), together in ids.items()]


def _parameters() -> dict[str, Any]:
    """How the platform connects, without what Django adds for its own use."""
    parameters = connections[PLATFORM_ALIAS].get_connection_params()
    return parameters | {"cursor_factory": AsyncCursor, "context": None, "autocommit": True}
