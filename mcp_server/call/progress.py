"""Progress of a tool that takes its time (MCP specification, "Progress")."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import anyio.from_thread
from mcp.server.mcpserver import Context


class Progress:
    """The progress of one call. It only grows, also where the tool's function is called a second time."""

    def __init__(self, context: Context[Any, Any]) -> None:
        self._context = context
        self._highest = float("-inf")

    def report(self, done: float, total: float) -> None:
        """Tell the client, from the worker thread of the tool."""
        if done > self._highest:
            self._highest = done
            anyio.from_thread.run(self._context.report_progress, done, total)


_current: ContextVar[Progress | None] = ContextVar("mcp_progress", default=None)


def begin(context: Context[Any, Any]) -> None:
    """From now on, what this task reports is the progress of this call."""
    _current.set(Progress(context))


def report(done: int, total: int) -> None:
    """Tell the client of this call how far it is. Called in the worker thread of a tool; without a client, nothing."""
    progress = _current.get()
    if progress is not None:
        progress.report(float(done), float(total))
