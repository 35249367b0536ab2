"""Which messages of a tool a client is told (MCP specification, "Logging").

In 2026-07-28 each request says from which level on, and the SDK keeps to it. In the older protocols a connection does
(`logging/setLevel`): where none lasts, as over HTTP without sessions, there is nothing to keep it in, and no message is
sent.
"""

from __future__ import annotations

from typing import Any, get_args

from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp_types import EmptyResult, LoggingLevel, SetLevelRequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

# From the least to the most severe.
LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)
# Where a client of the older protocols has not said one.
DEFAULT_LEVEL: LoggingLevel = "info"
LEVEL_KEY = "mcp_server.level"


def are_kept(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether the client of this message is told messages at all, from a level on that it names."""
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS or _connection(ctx).has_standalone_channel


async def set_level(ctx: ServerRequestContext[Any, Any], params: SetLevelRequestParams) -> EmptyResult:
    """Answers `logging/setLevel`: from now on, messages below the level are not sent on this connection."""
    _connection(ctx).state[LEVEL_KEY] = params.level
    return EmptyResult()


def hold_back(ctx: ServerRequestContext[Any, Any]) -> None:
    """Keep to the level of an older client while this message is handled."""
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return
    lowest = LEVELS.index(_connection(ctx).state.get(LEVEL_KEY, DEFAULT_LEVEL))
    # The SDK's own gate, which lets an older client have everything.
    ctx.session._allowed_log_levels = frozenset(LEVELS[lowest:] if are_kept(ctx) else ())


def is_told(session: ServerSession, level: LoggingLevel) -> bool:
    """Whether the client wants to know what is of this level."""
    return level in session._allowed_log_levels


def require_known(level: str) -> None:
    """Raise ValueError: there is no such level."""
    if level not in LEVELS:
        raise ValueError(f"there is no level {level!r}; write one of {', '.join(LEVELS)}")


def _connection(ctx: ServerRequestContext[Any, Any]) -> Connection:
    return ctx.session._connection
