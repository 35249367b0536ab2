"""Progress of a tool that takes its time (MCP specification, "Progress")."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import Any

import anyio
from mcp.server.mcpserver import Context

from mcp_server import threads

SEND_TIMEOUT = 5  # seconds


class Progress:
    """The progress of one call. It only grows, also where the tool's function is called a second time."""

    def __init__(self, context: Context[Any, Any]) -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._highest = float("-inf")
        self._is_reported = False
        self._sending: list[asyncio.Task[None]] = []

    def report(self, done: float, total: float) -> None:
        """Tell the client soon, from any thread; whoever reports does not wait for it."""
        with self._lock:
            if done <= self._highest:
                return
            self._highest = done
            self._is_reported = True
            # In the server's loop and no other: a tool may run one of its own.
            self._loop.call_soon_threadsafe(self._send, done, total)

    async def sent(self) -> None:
        """Wait until the client is told what was reported. That it can't be told is no failure of the call."""
        if not self._is_reported:
            return
        # A client that has hung up meanwhile does not turn what is done into what was cancelled.
        with anyio.move_on_after(SEND_TIMEOUT, shield=True):
            await asyncio.sleep(0)  # for what was reported last, and waits for its turn
            await asyncio.gather(*self._sending, return_exceptions=True)

    def _send(self, done: float, total: float) -> None:
        self._sending.append(self._loop.create_task(self._context.report_progress(done, total)))


_current: ContextVar[Progress | None] = ContextVar("mcp_progress", default=None)


def begin(context: Context[Any, Any]) -> None:
    """From now on, what this task reports is the progress of this call."""
    _current.set(Progress(context))


async def sent() -> None:
    """Wait until the client of this call is told what was reported: after the answer it would be lost."""
    progress = _current.get()
    if progress is not None:
        await progress.sent()


def report(done: int, total: int) -> None:
    """Tell the client of this call how far it is. Called in a tool, plain or async, and in threads that know its
    context; without a client, nothing.

    Raises LookupError: no context is open, as in a plain thread that a tool has started.
    """
    progress = _current.get()
    if progress is None:
        threads.require_context("report_progress")
        return
    progress.report(float(done), float(total))
