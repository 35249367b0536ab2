"""MCP at `/mcp/<tenant>/`, Django beside it, in one ASGI application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, InternalError, OperationalError, connections
from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server import server, workers
from mcp_server.declare.tools import Endpoint
from mcp_server.http import authentication
from mcp_server.http.bodies import WholeBodies
from mcp_server.http.envelopes import Envelopes
from mcp_server.http.exchanges import Exchanges
from mcp_server.http.hosts import NamedHosts, SharedOrigins
from mcp_server.http.shutdown import told_of_the_end
from mcp_server.http.streaming import Framing
from rls.backends import lost
from rls.backends.postgresql.lasting import keep_pulses

logger = logging.getLogger(__name__)

# Hosts and origins are compared by NamedHosts, before anything else.
UNGUARDED = TransportSecuritySettings(enable_dns_rebinding_protection=False)


class TenantConvertor(Convertor[str]):
    """One path segment, with or without the slash after it: neither `/mcp/acme` nor `/mcp/acme/` redirects."""

    regex = "[^/]+/?"

    def convert(self, value: str) -> str:
        return value.removesuffix("/")

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("tenant", TenantConvertor())


class StreamableHTTP:
    """The Streamable HTTP transport of one MCP server (MCP specification, "Transports")."""

    def __init__(self, mcp: MCPServer[Any]) -> None:
        self.is_stateless = settings.MCP_SESSIONS == "stateless"
        plain, streaming = (self._manager(mcp, json_response=is_json) for is_json in (True, False))
        self.managers = [plain, streaming]
        self.app = Framing(
            plain=plain.handle_request, streaming=streaming.handle_request, has_sessions=not self.is_stateless
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
            refusal = JSONResponse({"error": "method_not_allowed"}, 405, headers={"Allow": ", ".join(allowed)})
            await refusal(scope, receive, send)
            return
        # No event is kept to be sent again, and the SDK answers whoever asks for one with nothing: it is a new stream.
        headers = [(name, value) for name, value in scope["headers"] if name != b"last-event-id"]
        await self.app({**scope, "headers": headers}, receive, send)

    def _manager(self, mcp: MCPServer[Any], *, json_response: bool) -> StreamableHTTPSessionManager:
        # Each call of it makes another one.
        mcp.streamable_http_app(
            stateless_http=self.is_stateless,
            json_response=json_response,
            transport_security=UNGUARDED,
        )
        return mcp.session_manager


class Trimmed:
    """Removes the white space around header values, which is no part of them (RFC 9110 5.5); httptools leaves it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            scope = {**scope, "headers": [(name, value.strip()) for name, value in scope["headers"]]}
        await self.app(scope, receive, send)


def check_database() -> None:
    """Connect as both serving roles; a role that could bypass row-level security is refused on connecting."""
    for alias in ("default", "platform"):
        connections[alias].ensure_connection()


def build(django: ASGIApp) -> Starlette:
    """The application: `django` answers what is not MCP's.

    Raises ImproperlyConfigured for a setting that has no such value.
    """
    if settings.MCP_AUTH not in authentication.BACKENDS or settings.MCP_SESSIONS not in ("stateless", "stateful"):
        raise ImproperlyConfigured("MCP_AUTH is token or public; MCP_SESSIONS is stateless or stateful")
    tenants, platform = (server.build(each) for each in (Endpoint.TENANT, Endpoint.PLATFORM))
    transports = [StreamableHTTP(mcp) for mcp in (tenants, platform)]
    tenant_endpoint, platform_endpoint = map(endpoint, transports)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await workers.run(check_database)
        await workers.run(keep_pulses)
        async with transports[0].running(), transports[1].running():
            with told_of_the_end(tenants.close):
                yield

    routes: list[BaseRoute] = [
        Route("/mcp", platform_endpoint),
        Route("/mcp/", platform_endpoint),
        Route("/mcp/{tenant:tenant}", tenant_endpoint),
    ]
    if settings.MCP_SESSIONS == "stateful":
        routes.append(Mount("/mcp/{tenant}", endpoint(sse_pair(tenants))))
    routes += [
        Mount("/static", StaticFiles(packages=[("django.contrib.admin", "static")])),
        Mount("/", django),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Trimmed), Middleware(SharedOrigins), Middleware(Exchanges)],
        lifespan=lifespan,
        exception_handlers=dict.fromkeys([OperationalError, InterfaceError, InternalError], unavailable),
    )


def unavailable(request: Request, error: Exception) -> JSONResponse:
    """503: the database did not answer before a tool was reached. The next try gets a new connection."""
    if lost.is_lost(error) or lost.is_read_only(error):
        lost.warn(error)
    else:
        logger.error("the database does not answer", exc_info=error)
    return JSONResponse({"error": "unavailable"}, 503, headers={"Retry-After": "1"})


def endpoint(transport: ASGIApp) -> ASGIApp:
    """A transport behind what every request to it passes."""
    return NamedHosts(authentication.protected(WholeBodies(Envelopes(transport))))


def sse_pair(mcp: MCPServer[Any]) -> ASGIApp:
    """The transport before Streamable HTTP: GET `sse`, POST `messages/` (MCP specification 2024-11-05)."""
    return mcp.sse_app(transport_security=UNGUARDED)
