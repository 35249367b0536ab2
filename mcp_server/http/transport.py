"""One endpoint over HTTP, behind what every request to it passes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server import configuration
from mcp_server.http.authentication import Backend, Protected
from mcp_server.http.bodies import WholeBodies
from mcp_server.http.direct import Direct
from mcp_server.http.envelopes import Envelopes
from mcp_server.http.hosts import NamedHosts
from mcp_server.http.limited import Limited
from mcp_server.http.streaming import Framing
from mcp_server.limits.gate import Gate

if TYPE_CHECKING:
    from mcp_server.server import EndpointServer

# Hosts and origins are compared by NamedHosts, before anything else.
UNGUARDED = TransportSecuritySettings(enable_dns_rebinding_protection=False)


class Transport:
    """One endpoint over HTTP: Streamable HTTP, and, where there are sessions, the pair of HTTP and SSE before it."""

    def __init__(self, mcp: EndpointServer, backend: Backend, gate: Gate) -> None:
        self._streamable = StreamableHTTP(mcp)
        self.messages = _guarded(self._streamable, backend, gate)
        # MCP specification 2024-11-05: GET `sse`, POST `messages/`.
        self.sse_pair = _guarded(SSEPair(mcp), backend, gate)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What requests need."""
        async with self._streamable.running():
            yield


class SSEPair:
    """The pair of HTTP and SSE of one MCP server."""

    def __init__(self, mcp: MCPServer[Any]) -> None:
        self._app = mcp.sse_app(transport_security=UNGUARDED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette takes HEAD for GET, and the stream that it opens would never end.
        allowed = ["GET", "POST"]
        app = self._app if scope["method"] in allowed else _not_allowed(allowed)
        await app(scope, receive, send)


class StreamableHTTP:
    """The Streamable HTTP transport of one MCP server (MCP specification, "Transports")."""

    def __init__(self, mcp: MCPServer[Any]) -> None:
        self.is_stateless = not configuration.has_sessions()
        plain, streaming = (self._manager(mcp, json_response=is_json) for is_json in (True, False))
        self.managers = [plain, streaming]
        self.app = Framing(
            plain=Direct(plain.app, plain.handle_request),
            streaming=streaming.handle_request,
            has_sessions=not self.is_stateless,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What requests need."""
        async with AsyncExitStack() as stack:
            for manager in self.managers:
                await stack.enter_async_context(manager.run())
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = ["POST"] if self.is_stateless else ["POST", "GET", "DELETE"]
        if scope["method"] not in allowed:
            await _not_allowed(allowed)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _manager(self, mcp: MCPServer[Any], *, json_response: bool) -> StreamableHTTPSessionManager:
        # Each call of it makes another one.
        mcp.streamable_http_app(
            stateless_http=self.is_stateless,
            json_response=json_response,
            transport_security=UNGUARDED,
        )
        return mcp.session_manager


def _not_allowed(allowed: list[str]) -> JSONResponse:
    return JSONResponse({"error": "method_not_allowed"}, 405, headers={"Allow": ", ".join(allowed)})


def _guarded(transport: ASGIApp, backend: Backend, gate: Gate) -> ASGIApp:
    """A transport behind what every request to it passes."""
    return NamedHosts(Protected(WholeBodies(Envelopes(Limited(transport, gate))), backend, gate.logins))
