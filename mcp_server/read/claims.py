"""What a server says it can do (`initialize`, `server/discover`), and does: of one endpoint, era and token.

The SDK claims what it has a handler for. That an endpoint offers no prompts, that a token may read no resource,
and that no list changes while the process runs, it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    CompletionsCapability,
    LoggingCapability,
    PromptsCapability,
    ResourcesCapability,
    ServerCapabilities,
    ToolsCapability,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server.call import levels, refusals

# The methods that tell a client what there is.
CLAIMING_METHODS = frozenset({"initialize", "server/discover"})
# What stands before the slash in the methods that a capability covers, beside tools.
COVERED_KINDS = frozenset({"resources", "subscriptions", "prompts", "completion", "logging"})
# Each list is one page, so no cursor was ever handed out for it.
LIST_METHODS = frozenset({"tools/list", "prompts/list", "resources/list", "resources/templates/list"})

# What an older client watches, it is told of later.
LASTING_METHODS = frozenset({"resources/subscribe", "resources/unsubscribe"})


def are_asked_for(method: str) -> bool:
    """Whether an answer to this method depends on what the principal has beside tools."""
    return method in CLAIMING_METHODS or method.partition("/")[0] in COVERED_KINDS


@dataclass(frozen=True, slots=True)
class Claims:
    """The capabilities of one principal, beside tools (MCP specification, "Lifecycle")."""

    resources: bool = False
    watching: bool = False
    prompts: bool = False
    completions: bool = False

    async def kept(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Answer a message with these capabilities. Raises MCPError: METHOD_NOT_FOUND for a method that they lack."""
        if not self._cover(ctx):
            text = _(
                "{method} is not offered here, or not to this token. initialize or server/discover "
                "tells what is offered."
            )
            method = refusals.short(ctx.method)
            raise MCPError(METHOD_NOT_FOUND, text.format(method=method), data=method)
        if ctx.method in LIST_METHODS and (ctx.params or {}).get("cursor"):
            raise MCPError(
                INVALID_PARAMS, _("The cursor is not valid: this list has one page. Call again without a cursor.")
            )
        result = await call_next(ctx)
        if ctx.method in CLAIMING_METHODS and isinstance(result, dict):
            return {**result, "capabilities": self._capabilities(ctx)}
        return result

    def _cover(self, ctx: ServerRequestContext[Any, Any]) -> bool:
        match ctx.method.partition("/")[0]:
            case "resources":
                return self.watching and _lasts(ctx) if ctx.method in LASTING_METHODS else self.resources
            case "subscriptions":
                return self.watching
            case "prompts":
                return self.prompts
            case "completion":
                return self.completions
            case "logging":
                return levels.are_kept(ctx)
        return True

    def _capabilities(self, ctx: ServerRequestContext[Any, Any]) -> dict[str, Any]:
        """As a protocol version has them: the newest has streams to watch by, an older one a connection that lasts."""
        watching = self.watching and (ctx.protocol_version in MODERN_PROTOCOL_VERSIONS or _lasts(ctx))
        found = ServerCapabilities(
            tools=ToolsCapability(list_changed=False),
            resources=ResourcesCapability(subscribe=watching, list_changed=False) if self.resources else None,
            prompts=PromptsCapability(list_changed=False) if self.prompts else None,
            completions=CompletionsCapability() if self.completions else None,
            logging=LoggingCapability() if levels.are_kept(ctx) else None,
        )
        return found.model_dump(by_alias=True, exclude_none=True)


def _lasts(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether an older client has a connection over which it can be told of something later."""
    return ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS and ctx.session._connection.has_standalone_channel
