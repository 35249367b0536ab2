"""Progress of a tool that takes its time (MCP specification, "Progress")."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import anyio.from_thread
from mcp.server.mcpserver import Context


class Progress:
    """The progress of one call. It only grows, also where the tool's function is called a second time."""

    def __init__(self, context: Context[Any, Any]) -> None:
        self._context = context
        self._highest = float("-inf")
        self._sending: list[asyncio.Future[None]] = []

    def report(self, done: float, total: float) -> None:
        """Tell the client, from the worker thread of the tool, or from the event loop: there it is `sent` later."""
        if done <= self._highest:
            return
        self._highest = done
        if _is_in_loop():
            self._sending.append(asyncio.ensure_future(self._context.report_progress(done, total)))
        else:
            anyio.from_thread.run(self._context.report_progress, done, total)

    async def sent(self) -> None:
        """Wait until the client is told what was reported."""
        await asyncio.gather(*self._sending)


_current: ContextVar[Progress | None] = ContextVar("mcp_progress", default=None)


def begin(context: Context[Any, Any]) -> None:
    """From now on, what this task reports is the progress of this call."""
    _current.set(Progress(context))


async def sent() -> None:
    """Wait until the client of this call is told what an async tool has reported: after the answer it would be lost."""
    progress = _current.get()
    if progress is not None:
        await progress.sent()


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def report(done: int, total: int) -> None:
    """Tell the client of this call how far it is. Called in a tool, plain or async; without a client, nothing."""
    progress = _current.get()
    if progress is not None:
        progress.report(float(done), float(total))
