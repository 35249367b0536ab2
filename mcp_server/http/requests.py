"""What holds for every request of the application: its path, its headers, and a database that does not answer."""

from __future__ import annotations

import logging

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rls.backends import lost

logger = logging.getLogger(__name__)


class TenantConvertor(Convertor[str]):
    """One path segment, with or without the slash after it: neither `/mcp/acme` nor `/mcp/acme/` redirects."""

    regex = "[^/]+/?"

    def convert(self, value: str) -> str:
        return value.removesuffix("/")

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("tenant", TenantConvertor())


def values(scope: Scope, name: bytes) -> list[str]:
    """The values of the headers of this name, which is in small letters."""
    return [value.decode("latin-1") for each, value in scope["headers"] if each == name]


class Trimmed:
    """Removes the white space around header values, which is no part of them (RFC 9110 5.5); httptools leaves it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            scope = {**scope, "headers": [(name, value.strip()) for name, value in scope["headers"]]}
        await self.app(scope, receive, send)


def unavailable(request: Request, error: Exception) -> JSONResponse:
    """503: the database did not answer before a tool was reached. The next try gets a new connection."""
    if lost.is_lost(error) or lost.is_read_only(error):
        lost.warn(error)
    else:
        logger.error("the database does not answer", exc_info=error)
    return JSONResponse({"error": "unavailable"}, 503, headers={"Retry-After": "1"})
