"""The span of a message (OpenTelemetry, "Semantic conventions for Model Context Protocol").

The SDK makes one too, which tells the text of an error and whatever name a caller has sent, and costs as much where
nobody wants it. Ours takes its place. See Note [No data in a span].
"""

from __future__ import annotations

from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.methods import SPEC_CLIENT_METHODS
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, StatusCode, Tracer

from mcp_server.declare.registry import Registry
from mcp_server.declare.tools import Endpoint
from mcp_server.http import tracing
from mcp_server.http.context import current_principal

OTHER_METHOD = "other"


class Messages:
    """An SDK middleware: a span for each message, in the trace of the client that has sent it."""

    def __init__(self, tracer: Tracer, registry: Registry, endpoint: Endpoint) -> None:
        self._tracer = tracer
        self._tools = {spec.name for spec in registry.tools(endpoint)}
        self._prompts = set(registry.prompts()) if endpoint is Endpoint.TENANT else set()

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        around, parent = trace.get_current_span(), _brought(ctx)
        is_left_out = around.get_span_context().is_valid and not around.is_recording()
        if is_left_out and parent is None:
            # Its request is not sampled, and so nothing within it is.
            return await call_next(ctx)
        method = ctx.method if ctx.method in SPEC_CLIENT_METHODS else OTHER_METHOD
        facts = {"mcp.method.name": method, "mcp.protocol.version": ctx.protocol_version}
        if (request := tracing.current()) is not None:
            facts["request_id"] = request.request_id
        name = self._named(method, ctx.params.get("name") if ctx.params else None)
        if name and method == "tools/call":
            facts |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
        elif name:
            facts |= {"gen_ai.prompt.name": name}
        links = [Link(around.get_span_context())] if parent is not None and around.is_recording() else []
        with self._tracer.start_as_current_span(
            f"{method} {name}".strip(),
            parent,
            SpanKind.SERVER,
            facts,
            links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                result = await call_next(ctx)
            except BaseException as error:
                kind = str(error.error.code) if isinstance(error, MCPError) else type(error).__qualname__
                span.set_attribute("error.type", kind)
                span.set_status(StatusCode.ERROR)
                raise
            if isinstance(result, dict) and result.get("isError"):
                span.set_attribute("error.type", "tool_error")
                span.set_status(StatusCode.ERROR)
            return result

    def _named(self, method: str, name: object) -> str:
        """What is called, where that is declared: a name that a caller has made up is no name of a span."""
        known = {"tools/call": self._tools, "prompts/get": self._prompts}.get(method, ())
        return name if isinstance(name, str) and name in known else ""


async def say_tenant(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """An SDK middleware, inside the boundary, which has found out for whom the message acts."""
    trace.get_current_span().set_attribute("tenant", current_principal().slug or "platform")
    return await call_next(ctx)


def _brought(ctx: ServerRequestContext[Any, Any]) -> Context | None:
    """The trace context that a message brings itself (`_meta.traceparent`), where it is another than its request's."""
    if not ctx.meta or "traceparent" not in ctx.meta:
        return None
    found = propagate.extract({key: value for key, value in ctx.meta.items() if isinstance(value, str)})
    said, request = trace.get_current_span(found).get_span_context(), trace.get_current_span().get_span_context()
    return found if said.is_valid and said != request else None
