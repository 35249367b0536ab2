"""What PostgreSQL says has changed (`Announce`), heard while somebody listens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
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


# Told of each change; of None where some may have been missed. It runs in no tenant context.
Listener = Callable[[RowChange | None], Awaitable[None]]


class ChangeFeed:
    """One connection that listens, for all listeners of the process, while there are any.

    It needs no right on any table. A pooler in transaction mode can't carry it: LISTEN belongs to a session
    (PostgreSQL, "LISTEN").
    """

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_hearing = asyncio.Event()

    @asynccontextmanager
    async def subscribed(self, listener: Listener) -> AsyncIterator[None]:
        """Within the block, what is committed reaches the listener.

        Raises TimeoutError: the database does not answer.
        """
        key = object()
        self._listeners[key] = listener
        if self._task is None:
            # In a context of its own: whoever listens first has a tenant context open.
            self._is_hearing = asyncio.Event()
            self._task = asyncio.create_task(self._hear(), context=Context())
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._is_hearing.wait()
            yield
        finally:
            del self._listeners[key]
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _hear(self) -> None:
        pause = FIRST_PAUSE
        has_heard = False
        while True:
            try:
                async with await AsyncConnection.connect(**_parameters()) as connection:
                    await connection.execute("LISTEN tenant_changes")
                    self._is_hearing.set()
                    # What was announced while there was no connection is lost, so listeners read all anew.
                    if has_heard:
                        await self._tell(None)
                    pause, has_heard = FIRST_PAUSE, True
                    await self._pass_on(connection)
            except (psycopg.Error, OSError, TimeoutError) as error:
                logger.warning("changes are not heard for a while", extra={"error": type(error).__name__})
            except Exception:
                # Nobody awaits this task: where it ended, all streams of the process would be silent for good.
                logger.exception("changes are not heard for a while")
            self._is_hearing.clear()
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)

    async def _pass_on(self, connection: AsyncConnection[Any]) -> None:
        while True:
            messages = [each.payload async for each in connection.notifies(timeout=PROBE_INTERVAL, stop_after=1)]
            if not messages:  # a network that has gone says nothing
                async with asyncio.timeout(PROBE_TIMEOUT):
                    await connection.execute("SELECT 1")
            # The same payload twice says nothing more: listeners read the rows as they are now.
            for message in dict.fromkeys(messages):
                if (change := RowChange.parse(message)) is not None:
                    await self._tell(change)

    async def _tell(self, change: RowChange | None) -> None:
        for listener in list(self._listeners.values()):
            try:
                await listener(change)
            except Exception:
                logger.exception("a listener failed")


def _parameters() -> dict[str, Any]:
    """How the platform connects, without what Django adds for its own use."""
    parameters = connections[PLATFORM_ALIAS].get_connection_params()
    return parameters | {"cursor_factory": AsyncCursor, "context": None, "autocommit": True}
