"""What a tool tells its client before its answer (MCP specification, "Progress" and "Logging")."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import anyio
from mcp.server.mcpserver import Context
from mcp_types import LoggingLevel, LoggingMessageNotification, LoggingMessageNotificationParams

from mcp_server import contacts, threads
from mcp_server.call import levels

SEND_TIMEOUT = 5  # seconds


class Progress:
    """The progress of one call. It only grows, also where the tool's function is called a second time."""

    def __init__(self, context: Context[Any, Any]) -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._highest = float("-inf")
        self._is_reported = False
        self._sending: list[asyncio.Future[None]] = []

    def report(self, done: float, total: float, message: str) -> None:
        """Tell the client soon, from any thread; whoever reports does not wait for it."""
        with self._lock:
            if done <= self._highest:
                return
            self._highest = done
            self._tell(functools.partial(self._context.report_progress, done, total, contacts.told(message) or None))

    def tell(self, level: LoggingLevel, text: str) -> None:
        """Tell the client's log soon, from any thread, where the client wants to know what is of this level."""
        session = self._context.session
        if not levels.is_told(session, level):
            return
        message = LoggingMessageNotification(
            params=LoggingMessageNotificationParams(level=level, data=contacts.told(text))
        )
        with self._lock:
            self._tell(functools.partial(session.send_notification, message, self._context.request_id))

    async def sent(self) -> None:
        """Wait until the client is told what was reported. That it can't be told is no failure of the call."""
        if not self._is_reported:
            return
        # A client that has hung up meanwhile does not turn what is done into what was cancelled.
        with anyio.move_on_after(SEND_TIMEOUT, shield=True):
            await asyncio.sleep(0)  # for what was reported last, and waits for its turn
            await asyncio.gather(*self._sending, return_exceptions=True)

    def _tell(self, send: Callable[[], Awaitable[None]]) -> None:
        self._is_reported = True
        # In the server's loop and no other: a tool may run one of its own.
        self._loop.call_soon_threadsafe(self._start, send)

    def _start(self, send: Callable[[], Awaitable[None]]) -> None:
        self._sending.append(asyncio.ensure_future(send(), loop=self._loop))


_current: ContextVar[Progress | None] = ContextVar("mcp_progress", default=None)


def begin(context: Context[Any, Any]) -> None:
    """From now on, what this task reports is the progress of this call."""
    _current.set(Progress(context))


async def sent() -> None:
    """Wait until the client of this call is told what was reported: after the answer it would be lost."""
    progress = _current.get()
    if progress is not None:
        await progress.sent()


def report(done: int, total: int, message: str = "") -> None:
    """Tell the client of this call how far it is, and in words what is done now, where it asked for progress. Called in
    a tool, plain or async, and in threads that know its context; without a client, nothing.

    Raises LookupError: no context is open, as in a plain thread that a tool has started.
    """
    if (progress := _known("report_progress")) is not None:
        progress.report(float(done), float(total), message)


def report_message(text: str, level: LoggingLevel = "info") -> None:
    """Tell the log of the client of this call something, where it wants to know what is of this level. Called as
    `report` is.

    Raises LookupError as `report` does; ValueError: there is no such level.
    """
    levels.require_known(level)
    if (progress := _known("report_message")) is not None:
        progress.tell(level, text)


def _known(function: str) -> Progress | None:
    progress = _current.get()
    if progress is None:
        threads.require_context(function)
    return progress
