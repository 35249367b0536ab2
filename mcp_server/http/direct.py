"""Answers a request in one piece by calling the SDK's kernel, without the streams of its transports.

# Note [The direct road]
Most requests have one answer and nothing before it. The SDK's transports open for each what a conversation needs:
streams, in the older protocols a task and a session too, and they read the body again. Here the SDK's kernel
(`mcp.server.runner`) is called with what they would call it with, so middleware, validation and errors are the same. A
request that is not plain goes to the transport, and so does one that the transport would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.lowlevel.server import Server
from mcp.server.runner import modern_error_data, serve_one
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    MCP_PROTOCOL_VERSION_HEADER,
    InboundModernRoute,
    classify_inbound_request,
    find_duplicated_routing_header,
)
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types import DEFAULT_NEGOTIATED_VERSION, JSONRPCError, JSONRPCRequest, RequestId
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic_core import to_json
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.http import envelopes
from mcp_server.http.envelopes import MESSAGE_KEY

# The answer is a stream, or is that of a handshake, which the transport leads.
NEVER_PLAIN = frozenset({"subscriptions/listen", "initialize"})
JSON = b"application/json"
ROUTING_PREFIX = b"mcp-"


@dataclass(frozen=True, slots=True)
class Exchange:
    """The SDK's `DispatchContext` of a request: nothing is sent before the answer, and the client is asked nothing."""

    transport: TransportContext
    request_id: RequestId
    message_metadata: ServerMessageMetadata
    # Nobody sets it: over HTTP a request is cancelled by hanging up.
    cancel_requested: anyio.Event
    can_send_request: bool = False

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Raises NoBackChannelError."""
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Nothing: an answer in one piece has no room for it."""

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Likewise."""


class Direct:
    """Answers plain requests in JSON; all else is for `transport`. See Note [The direct road]."""

    def __init__(self, server: Server[Any], transport: ASGIApp) -> None:
        self._server, self._transport = server, transport
        self._never = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = scope.get(MESSAGE_KEY)
        if not isinstance(message, JSONRPCRequest) or (connection := self._connection(scope, message)) is None:
            await self._transport(scope, receive, send)
            return
        request = Request(scope, receive)
        exchange = Exchange(
            TransportContext(kind="streamable-http", can_send_request=False, headers=request.headers),
            message.id,
            ServerMessageMetadata(request_context=request, can_send_request=False),
            self._never,
        )
        try:
            # No server of ours has a lifespan of the SDK's.
            result = await serve_one(
                self._server, exchange, message.method, message.params, connection=connection, lifespan_state={}
            )
        except Exception as error:
            data = modern_error_data(error)
            is_older = connection.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS
            status = 200 if is_older else ERROR_CODE_HTTP_STATUS.get(data.code, 200)
            refusal = envelopes.response(JSONRPCError(jsonrpc="2.0", id=message.id, error=data), status)
            await refusal(scope, receive, send)
            return
        body = to_json({"jsonrpc": "2.0", "id": message.id, "result": result})
        headers = [(b"content-length", str(len(body)).encode()), (b"content-type", JSON)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _connection(self, scope: Scope, request: JSONRPCRequest) -> Connection | None:
        """What the transport would tell the kernel of who asks; None where the request is not plain."""
        routing, content_type = [], b""
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value
            elif name.startswith(ROUTING_PREFIX):
                routing.append((name.decode("latin-1"), value.decode("latin-1")))
        if content_type.partition(b";")[0] != JSON or request.method in NEVER_PLAIN:
            return None
        if find_duplicated_routing_header(routing):
            return None
        headers = dict(routing)
        version = headers.get(MCP_PROTOCOL_VERSION_HEADER, DEFAULT_NEGOTIATED_VERSION)
        if version in HANDSHAKE_PROTOCOL_VERSIONS:
            return Connection.from_envelope(version, None, None)
        route = classify_inbound_request({"method": request.method, "params": request.params}, headers=headers)
        if not isinstance(route, InboundModernRoute) or self._is_mirrored(request):
            return None
        return Connection.from_envelope(route.protocol_version, route.client_info, route.client_capabilities)

    def _is_mirrored(self, request: JSONRPCRequest) -> bool:
        """Whether arguments are to be compared with headers (`Mcp-Param-...`)."""
        look_up, name = self._server.get_tool_input_schema, (request.params or {}).get("name")
        if request.method != "tools/call" or not isinstance(name, str):
            return False
        return look_up is None or look_up(name) is not None
