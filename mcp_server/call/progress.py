"""Progress of a tool that takes its time (MCP specification, "Progress")."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import anyio.from_thread
from mcp.server.mcpserver import Context

current: ContextVar[Context[Any, Any] | None] = ContextVar("mcp_progress_context", default=None)


def report(done: int, total: int) -> None:
    """Tell the client of this call how far it is. Called in the worker thread of a tool; without a client, nothing."""
    context = current.get()
    if context is not None:
        anyio.from_thread.run(context.report_progress, float(done), float(total))
