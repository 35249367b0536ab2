"""The SDK's servers of one MCP object: one for tenants' URLs, one for the platform's, which has tools only."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from mcp.server._otel import OpenTelemetryMiddleware
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import InvalidSignature, ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import x_mcp_header_map
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    InputRequiredResult,
    SetLevelRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    ToolAnnotations,
    UnsubscribeRequestParams,
)
from mcp_types import Tool as ListedTool
from pydantic import BaseModel, ConfigDict, PydanticUserError, ValidationError, model_validator
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import PydanticCustomError

from mcp_server import instructions, metrics, spans
from mcp_server.call import given, levels, refusals, sizes
from mcp_server.call.failures import told_by_reference
from mcp_server.call.pipeline import published
from mcp_server.call.sizes import Asked
from mcp_server.contacts import Hider
from mcp_server.declare import mistakes, registry, schemas
from mcp_server.declare.registry import Registry
from mcp_server.declare.tools import Endpoint, Outcome, ToolSpec
from mcp_server.http.authentication import PrincipalToken
from mcp_server.http.context import boundary, current_principal
from mcp_server.ledger import trail
from mcp_server.read import claims, mentions
from mcp_server.read.claims import Claims
from mcp_server.read.completions import complete
from mcp_server.read.server import ReadableServer
from mcp_server.selftest import require_boundary
from mcp_server.spans.messages import Messages, say_tenant
from mcp_server.watch.feed import ChangeFeed
from mcp_server.watch.sessions import SessionSubscriptions
from mcp_server.watch.subscriptions import Subscriptions
from mcp_server.watch.watchers import Watchers

if TYPE_CHECKING:
    from mcp_server.app import MCP

# JSON has no NaN and no infinity (RFC 8259, 6), but a text can be read as one.
FINITE = ConfigDict(allow_inf_nan=False)


class EndpointServer(MCPServer[Any]):
    """An MCPServer that refuses what a schema does not name, in words that a model can act on.

    # Note [What a caller may not use is not there]
    Each message is handled with the part of the registry that its caller may use (Registry.usable_by). What lists,
    suggests, reads, watches or calls asks that part alone, so the rest is answered as a name that was made up.
    """

    def __init__(
        self, name: str, *, endpoint: Endpoint, registry: Registry, tools: list[Tool], told: str, **options: Any
    ) -> None:
        self.endpoint, self.registry, self._own = endpoint, registry, told
        super().__init__(name, tools=tools, instructions=self._told(registry), **options)
        # Asked before the boundary, and it would find every tool: a header that does not fit would tell of it.
        self._lowlevel_server.get_tool_input_schema = self._schema_for_caller
        self._schemas = {tool.name: tool.parameters for tool in tools}
        self._mirrored = {name: schema for name, schema in self._schemas.items() if x_mcp_header_map(schema)}
        # See mcp_server.spans.messages.
        self.middleware[:] = [each for each in self.middleware if not isinstance(each, OpenTelemetryMiddleware)]
        # Whom a round is sealed for is known inside the boundary, where the SDK does not put its seals.
        self.middleware.sort(key=lambda each: isinstance(each, RequestStateBoundary))
        self.middleware.append(self._as_claimed)
        self._asked = {tool.name: _asked(tool) for tool in tools}
        self._lowlevel_server.add_request_handler("logging/setLevel", SetLevelRequestParams, levels.set_level)

    def close(self) -> None:
        """End what would last beyond a request."""

    @property
    def open_streams(self) -> int:
        """How many of them there are."""
        return 0

    @property
    def offered(self) -> Registry:
        """What there is for the caller of the message that is handled; outside of one, everything."""
        return registry.current(self.registry)

    async def claims(self) -> Claims:
        """What there is for the caller beside tools."""
        return Claims()

    def _told(self, offered: Registry) -> str:
        return instructions.of(self.endpoint, self._own, offered.tools(self.endpoint))

    def _schema_for_caller(self, name: str) -> dict[str, Any] | None:
        """The schema to compare headers with. The SDK walks the whole of it at each call, which finds nothing where no
        argument is mirrored in a header.
        """
        if name not in self._mirrored:
            return None
        token = get_access_token()
        part = self.registry.usable_by(token.principal) if isinstance(token, PrincipalToken) else Registry()
        return self._mirrored[name] if part.has_tool(self.endpoint, name) else None

    async def _as_claimed(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """An SDK middleware, inside the boundary: what is claimed is served, and nothing else.

        See Note [What a caller may not use is not there].
        """
        levels.hold_back(ctx)
        offered = self.registry.usable_by(current_principal())
        with registry.serving(offered):
            granted = await self.claims() if claims.are_asked_for(ctx.method) else Claims()
            hidden = mentions.unsaid(offered.hidden_tools(self.endpoint), ctx.params)
            try:
                result = await granted.kept(ctx, call_next)
            except MCPError as error:
                if not hidden:
                    raise
                raise MCPError(error.code, mentions.kept(error.message, hidden), error.data) from error
            if ctx.method in claims.CLAIMING_METHODS and isinstance(result, dict):
                told = self._told(offered)
                return {**result, "instructions": mentions.kept(told, hidden) if hidden else told}
            return mentions.kept_in(ctx.method, result, hidden) if hidden else result

    async def list_tools(self) -> list[ListedTool]:
        """The caller's tools, with their titles, which are for people, in the language of the request."""
        return [
            _titled(tool, _(tool.title or tool.name))
            for tool in await super().list_tools()
            if self.offered.has_tool(self.endpoint, tool.name)
        ]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        offered = self.offered
        if not offered.has_tool(self.endpoint, name):
            known = [spec.name for spec in offered.tools(self.endpoint)]
            metrics.refused("unknown_name")
            raise MCPError(INVALID_PARAMS, refusals.no_such_tool(name, known))
        schema = self._schemas[name]
        arguments = given.of(schema, arguments)
        if refusal := refusals.unknown(name, arguments, schema.get("properties", ())):
            metrics.refused("arguments")
            raise ToolError(refusal)
        if place := given.out_of_range(schema, arguments):
            metrics.refused("arguments")
            raise ToolError(refusals.no_room(name, place))
        try:
            result = await super().call_tool(name, arguments, context)
            return sizes.fitted(result, self._asked[name]) if isinstance(result, CallToolResult) else result
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                metrics.refused("arguments")
                raise ToolError(refusals.unfit(name, error.__cause__)) from None
            if isinstance(error.__cause__, ToolError):
                # Without the SDK's English words before it.
                raise ToolError(sizes.brief(str(error.__cause__))) from None
            raise


class TenantServer(ReadableServer, EndpointServer):
    """The server of tenants' URLs: tools, and what is read, completed and watched."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._watchers, feed = Watchers(), ChangeFeed()
        streams, sessions = Subscriptions(feed, self._watchers), SessionSubscriptions(feed, self._watchers)
        # The SDK's own handler has one bus for all, and gives every URI that is asked for.
        self._lowlevel_server.add_request_handler(
            "subscriptions/listen", SubscriptionsListenRequestParams, streams.listen
        )
        self._lowlevel_server.add_request_handler("resources/subscribe", SubscribeRequestParams, sessions.subscribe)
        self._lowlevel_server.add_request_handler(
            "resources/unsubscribe", UnsubscribeRequestParams, sessions.unsubscribe
        )
        self.completion()(complete)  # type: ignore[no-untyped-call]  # the SDK says no types there

    def close(self) -> None:
        self._watchers.close()

    @property
    def open_streams(self) -> int:
        return len(self._watchers)


SERVERS: dict[Endpoint, type[EndpointServer]] = {Endpoint.TENANT: TenantServer, Endpoint.PLATFORM: EndpointServer}


def build(mcp: MCP, endpoint: Endpoint) -> EndpointServer:
    """A server with everything that the MCP object has for the endpoint.

    Raises ImproperlyConfigured: something is declared in a way that can't be served, or the SDK does not run the tenant
    boundary before every message.
    """
    declared = mcp.registry()
    spans.begin()
    # The SDK logs a refused call with its text, which is for the caller; our own record has none.
    logging.getLogger("mcp.server").setLevel(logging.WARNING)
    tools = _published(declared.tools(endpoint))
    keeper = trail.middleware(tools) if endpoint is Endpoint.TENANT else []
    hider = [Hider(mcp.contacts_scope)] if mcp.contacts_scope is not None else []
    server = SERVERS[endpoint](
        mcp.name,
        endpoint=endpoint,
        told=mcp.instructions,
        version=mcp.version,
        title=str(mcp.title) or None,
        description=str(mcp.description) or None,
        registry=declared,
        tools=tools,
        middleware=[told_by_reference, boundary, *hider, given.forms, *keeper],
        # Workers share the keys. What was sealed opens at no other server and endpoint, and for no other principal.
        request_state_security=RequestStateSecurity(
            keys=_sealing_keys(f"{mcp.name}/{endpoint.value}"), bind_principal=lambda ctx: current_principal().subject
        ),
        # Not those of the SDK, which know no tenants: see TenantServer.
        subscriptions=False,
    )
    require_boundary(server)
    if (tracer := spans.tracer()) is not None:
        # Not before: the messages of the self-test are nobody's.
        server.middleware.insert(0, Messages(tracer, declared, endpoint))
        server.middleware.append(say_tenant)
    return server


def refuse_unservable(spec: ToolSpec) -> None:
    """Raise ImproperlyConfigured where a tool can't be served as it is declared."""
    _as_tool(spec, set())


def _sealing_keys(name: str) -> list[str]:
    """The keys that seal the rounds of a call: of SECRET_KEY, and, to open them only, of SECRET_KEY_FALLBACKS."""
    secrets = dict.fromkeys([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])
    # The SDK takes no key of less than 32 bytes, whatever the project's is.
    return [salted_hmac("mcp_server.request_state", name, secret, algorithm="sha256").hexdigest() for secret in secrets]


def _published(specs: list[ToolSpec]) -> list[Tool]:
    """The tools in the order of their names. Of answers alike, that of a tool that reads is described."""
    for spec in specs:
        mistakes.refuse_writer_without_ledger(spec)
    said: set[str] = set()
    made = {spec.name: _as_tool(spec, said) for spec in sorted(specs, key=lambda each: not each.is_read_only)}
    return [made[spec.name] for spec in specs]


def _as_tool(spec: ToolSpec, said: set[str]) -> Tool:
    """Raises ImproperlyConfigured: it can't be served as it is declared."""
    mistakes.refuse_two_questions(spec)
    mistakes.refuse_cached_context(spec)
    mistakes.refuse_rows_of_a_text(spec)
    try:
        tool = Tool.from_function(
            published(spec),
            name=spec.name,
            title=spec.title,
            description=spec.description,
            annotations=ToolAnnotations(
                title=spec.title,
                read_only_hint=spec.is_read_only,
                destructive_hint=spec.is_destructive,
                # Of a tool that reads it means nothing.
                idempotent_hint=(spec.is_idempotent and not spec.is_read_only) or None,
                open_world_hint=False,
            ),
        )
    except (PydanticUserError, PydanticInvalidForJsonSchema) as error:
        raise mistakes.unschemable_parameter(spec, error) from error
    except InvalidSignature as error:
        raise mistakes.unfit_parameter(spec, error) from error
    mistakes.refuse_values(spec)
    metadata = tool.fn_metadata
    tool.parameters = schemas.of_arguments(tool.parameters, tool=spec.name)
    judged = {"refuse_misfits": model_validator(mode="before")(_refusing_misfits(tool.parameters))}
    if spec.input_schema is not None:
        from mcp_server.declare import handwritten  # few servers have such a schema, and need a validator for it

        tool.parameters = handwritten.published(spec, spec.input_schema, tool.parameters)
        judged["refuse_unfit"] = model_validator(mode="before")(_refusing_by(tool.parameters))
    if spec.shape.schema is not None:
        metadata.output_schema = schemas.of_answer(
            spec.shape.schema,
            tool=spec.name,
            said=said,
            model=spec.shape.model,
            outcome=None if spec.is_read_only else Outcome,
        )
    # An answer is an instance of its class, and valid as it is.
    metadata.output_model = None
    metadata.arg_model = type(
        spec.name,
        (metadata.arg_model,),
        {
            "model_config": FINITE,
            "__module__": __name__,
            # Not in what the client has sent: the SDK reads lists and objects out of texts before it.
            **judged,
        },
    )
    return tool


def _refusing_misfits(schema: schemas.Schema) -> Any:
    """A validator for the arguments that a schema describes."""

    def refuse(cls: type[BaseModel], arguments: Any) -> Any:
        if found := given.misfit(schema, arguments):
            raise PydanticCustomError(found.problem, "{place}", {"place": found.place})
        return arguments

    return classmethod(refuse)


def _refusing_by(schema: schemas.Schema) -> Any:
    """The same for what does not fit a schema that was written by hand."""
    from mcp_server.declare import handwritten

    judge = handwritten.validator(schema)

    def refuse_unfit(cls: type[BaseModel], arguments: Any) -> Any:
        if found := handwritten.problem(judge, arguments):
            raise PydanticCustomError("rule", "rule", {"place": found[0], "rule": found[1]})
        return arguments

    return classmethod(refuse_unfit)


def _asked(tool: Tool) -> Asked:
    is_change = tool.annotations is None or not tool.annotations.read_only_hint
    return Asked(tool.name, takes_limit="limit" in tool.parameters.get("properties", ()), is_change=is_change)


def _titled(tool: ListedTool, title: str) -> ListedTool:
    hints = tool.annotations and tool.annotations.model_copy(update={"title": title})
    return tool.model_copy(update={"title": title, "annotations": hints})
