"""Which hosts and origins a request may name (against DNS rebinding), and cross-origin resource sharing."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http.request import split_domain_port, validate_host
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server import configuration
from mcp_server.http import requests

ORIGIN = re.compile(r"https?://([^/?#@\\]+)")
# Django's, where ALLOWED_HOSTS is empty (HttpRequest.get_host).
DEBUG_HOSTS = [".localhost", "127.0.0.1", "[::1]"]
ALLOWED_METHODS = ["POST", "GET", "DELETE"]
# Beside those that every origin may send. A request of 2026-07-28 mirrors arguments in headers, `Mcp-Param-...`.
REQUEST_HEADERS = ["Authorization", "Last-Event-ID"]
MCP_HEADER_PREFIX = "mcp-"
# Before the path of an endpoint: where its metadata is (RFC 9728, 3).
WELL_KNOWN = "/.well-known/oauth-protected-resource"
RESPONSE_HEADERS = ["Mcp-Session-Id", "MCP-Protocol-Version", "WWW-Authenticate"]


class NamedHosts:
    """Lets a request through whose Host is in ALLOWED_HOSTS, and whose Origin is there too or in MCP_ALLOWED_ORIGINS.

    The SDK compares only the beginning of a port: `127.0.0.1:8000@evil.example` would pass.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.origins = allowed_origins()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        named, origins = requests.values(scope, b"host"), list(filter(None, requests.values(scope, b"origin")))
        if len(named) != 1 or not _is_ours(named[0]):
            await JSONResponse({"error": "invalid_host"}, 421)(scope, receive, send)
        elif len(origins) > 1 or not all(map(self._may_be, origins)):
            await JSONResponse({"error": "invalid_origin"}, 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _may_be(self, origin: str) -> bool:
        page = ORIGIN.fullmatch(origin)
        return (page is not None and _is_ours(page[1])) or origin.lower() in self.origins


class SharedOrigins:
    """Adds CORS headers for MCP_ALLOWED_ORIGINS at the paths below `at`, and where the metadata of these stand (Fetch
    Standard, "CORS protocol").
    """

    def __init__(self, app: ASGIApp, at: str) -> None:
        self.app = app
        self.at = at
        self.origins = allowed_origins()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""
        if scope["type"] == "http" and is_below(path.removeprefix(WELL_KNOWN), self.at):
            origin = "".join(requests.values(scope, b"origin")[:1])
            if origin.lower() in self.origins:
                app = self._sharing(Headers(scope=scope))
        await app(scope, receive, send)

    def _sharing(self, headers: Headers) -> ASGIApp:
        wanted = headers.get("access-control-request-headers", "").split(",")
        own = [name.strip() for name in wanted if name.strip().lower().startswith(MCP_HEADER_PREFIX)]
        return CORSMiddleware(
            self.app,
            allow_origins=[headers["origin"]],
            allow_methods=ALLOWED_METHODS,
            allow_headers=[*REQUEST_HEADERS, *own],
            expose_headers=RESPONSE_HEADERS,
            allow_private_network=True,
        )


def root_of(connection: HTTPConnection) -> str:
    """Where clients reach this server, without a path: PUBLIC_URL, or what a request names; NamedHosts has seen it."""
    return configuration.public_url() or f"{connection.url.scheme}://{connection.url.netloc}"


def is_below(path: str, at: str) -> bool:
    """Whether a path is `at`, or one below it."""
    return path == at or path.startswith(f"{at}/")


def allowed_origins() -> frozenset[str]:
    """MCP_ALLOWED_ORIGINS. Raises ImproperlyConfigured for what is no origin."""
    origins = frozenset(origin.lower() for origin in configuration.allowed_origins())
    for origin in origins:
        parts = urlsplit(origin)
        if origin != f"{parts.scheme}://{parts.netloc}" or not parts.hostname or "*" in origin or "@" in origin:
            raise ImproperlyConfigured(
                f"MCP_ALLOWED_ORIGINS: {origin} is no origin. Write each as https://app.example.com, without a path"
            )
    return origins


def _is_ours(host: str) -> bool:
    return _is_one_of(host, tuple(settings.ALLOWED_HOSTS or (DEBUG_HOSTS if settings.DEBUG else ())))


@lru_cache(maxsize=256)  # clients name the same few
def _is_one_of(host: str, allowed: tuple[str, ...]) -> bool:
    domain, _port = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)
