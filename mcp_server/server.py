"""The MCP servers: one for tenants' URLs, one for the platform's, which has tools only."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.request_state import RequestStateSecurity
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    InputRequiredResult,
    SubscriptionsListenRequestParams,
    ToolAnnotations,
)
from mcp_types import Tool as ListedTool
from pydantic import ValidationError

from core.principals import Principal
from mcp_server import discovery
from mcp_server.claims import Claims
from mcp_server.completions import complete
from mcp_server.failures import told_by_reference
from mcp_server.hook import hooked
from mcp_server.readable import ReadableServer
from mcp_server.registry import Door, ToolSpec, tools
from mcp_server.selftest import require_boundary
from mcp_server.subscriptions import Subscriptions
from mcp_server.tenancy import boundary, current_principal

NAME = "django-tenant-mcp"
INSTRUCTIONS = {
    Door.TENANT: (
        "The shop of one tenant: the one in this server's URL. No tool takes a tenant. Money is in the currency's "
        "minor unit. What changes something takes dry_run, to see what would happen, and idempotency_key, to be tried "
        "again safely; what a person has to agree to is asked of the person."
    ),
    Door.PLATFORM: "Work across tenants. Every call needs a reason, and is written to the audit with it.",
}

# Problems of one call that are named; more of them would help nobody, and a call can hold a hundred thousand.
MOST_NAMED = 10


class DoorServer(MCPServer[Any]):
    """An MCPServer that refuses what a schema does not name, in words that a model can act on."""

    def __init__(self, name: str, *, tools: list[Tool], **options: Any) -> None:
        super().__init__(name, tools=tools, **options)
        self._schemas = {tool.name: tool.parameters for tool in tools}
        self.middleware.append(self._as_claimed)

    def close(self) -> None:
        """End what would last beyond a request."""

    async def claims(self, principal: Principal) -> Claims:
        """What is there for the principal beside tools."""
        return Claims()

    async def _as_claimed(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """An SDK middleware, inside the boundary: what is claimed is served, and nothing else."""
        granted = await self.claims(current_principal())
        return await granted.kept(ctx, call_next)

    async def list_tools(self) -> list[ListedTool]:
        """The tools, with their titles, which are for people, in the language of the request."""
        return [_titled(tool, _(tool.title or tool.name)) for tool in await super().list_tools()]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        if name not in self._schemas:
            meant = _meant(name, self._schemas)
            raise MCPError(INVALID_PARAMS, f"There is no tool {name}. Call one of: {', '.join(self._schemas)}.{meant}")
        _refuse_unknown(name, arguments, self._schemas[name])
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                raise ToolError(_explain(name, error.__cause__)) from None
            if isinstance(error.__cause__, ToolError):
                # Without the SDK's English words before it, and its names of resolvers.
                text = str(error.__cause__)
                unfit = _("The answer does not fit the question. Nothing was changed; call {tool} again.")
                raise ToolError(unfit.format(tool=name) if text.startswith("Resolver ") else text) from None
            raise


class TenantServer(ReadableServer, DoorServer):
    """The server of tenants' URLs: tools, and what is read, completed and watched."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._streams = Subscriptions()
        # The SDK's own handler has one bus for all, and gives every URI that is asked for.
        self._lowlevel_server.add_request_handler(
            "subscriptions/listen", SubscriptionsListenRequestParams, self._streams.listen
        )
        self.completion()(complete)  # type: ignore[no-untyped-call]  # the SDK says no types there

    def close(self) -> None:
        self._streams.close()


SERVERS: dict[Door, type[DoorServer]] = {Door.TENANT: TenantServer, Door.PLATFORM: DoorServer}


def build(door: Door) -> DoorServer:
    """A server with everything that is declared for the door.

    Raises ImproperlyConfigured: the SDK does not run the tenant boundary before every message.
    """
    discovery.load()
    # The SDK logs a refused call with its text, which is for the caller; our own record has none.
    logging.getLogger("mcp.server").setLevel(logging.WARNING)
    server = SERVERS[door](
        NAME,
        instructions=INSTRUCTIONS[door],
        version="0.1.0",
        tools=[_as_tool(spec) for spec in tools(door)],
        middleware=[told_by_reference, boundary],
        # Workers share the key, and what was sealed for one principal opens for no other.
        request_state_security=RequestStateSecurity(keys=[f"{NAME}/{door.value}/{settings.SECRET_KEY}"]),
        # Not those of the SDK, which know no tenants: see TenantServer.
        subscriptions=False,
    )
    require_boundary(server)
    return server


def _as_tool(spec: ToolSpec) -> Tool:
    tool = Tool.from_function(
        hooked(spec),
        name=spec.name,
        title=spec.title,
        description=spec.description,
        annotations=ToolAnnotations(
            title=spec.title,
            read_only_hint=spec.is_read_only,
            destructive_hint=spec.is_destructive,
            idempotent_hint=spec.is_idempotent,
            open_world_hint=False,
        ),
    )
    tool.parameters["additionalProperties"] = False
    for schema in (tool.parameters, tool.output_schema or {}):
        _remove_titles(schema)
    return tool


def _remove_titles(schema: dict[str, Any]) -> None:
    """Remove what pydantic makes of each name: it says nothing more, and is a fifth of what a client has to read."""
    schema.pop("title", None)
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", [])]
    for each in [*inner, *([schema["items"]] if "items" in schema else [])]:
        _remove_titles(each)


def _titled(tool: ListedTool, title: str) -> ListedTool:
    hints = tool.annotations and tool.annotations.model_copy(update={"title": title})
    return tool.model_copy(update={"title": title, "annotations": hints})


def _refuse_unknown(name: str, arguments: dict[str, Any], schema: dict[str, Any]) -> None:
    known = schema.get("properties", {})
    unknown = sorted(arguments.keys() - known.keys())[:MOST_NAMED]
    if unknown:
        takes = f"It takes: {', '.join(known)}." if known else "It takes no arguments."
        meant = "".join(_meant(each, known) for each in unknown)
        raise ToolError(f"{name} does not take {', '.join(map(repr, unknown))}. {takes} Call it again without.{meant}")


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _explain(name: str, error: ValidationError) -> str:
    problems = "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}"
        for each in error.errors(include_url=False, include_context=False, include_input=False)[:MOST_NAMED]
    )
    return f"{name} can't be called like this: {problems}. Correct the arguments and call it again."
