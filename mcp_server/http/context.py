"""The tenant boundary: every MCP message runs as the principal of the request that carries it."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST, ErrorData
from starlette.requests import Request

from mcp_server import threads, workers, zones
from mcp_server.call import cancellation, outages
from mcp_server.configuration import public_url
from mcp_server.http import authentication, hosts, languages
from mcp_server.http.authentication import PrincipalToken
from mcp_server.principals import Principal
from rls.context import checked_tenant_context

# The answer to a message that acts for nobody; see mcp_server.selftest.
NOT_AUTHENTICATED = ErrorData(code=INVALID_REQUEST, message="Authentication required")

_principal: ContextVar[Principal] = ContextVar("mcp_principal")
_request: ContextVar[object] = ContextVar("mcp_request", default=None)
_noticed: ContextVar[Noticed | None] = ContextVar("mcp_noticed", default=None)
_over_stdio: ContextVar[Callable[[], Principal | None] | None] = ContextVar("mcp_over_stdio", default=None)


def current_principal() -> Principal:
    """The principal of the message that is being handled. Raises LookupError outside of a message."""
    principal = _principal.get(None)
    if principal is None:
        raise threads.outside("current_principal")
    _notice()
    return principal


@dataclass(slots=True)
class Noticed:
    """Whether somebody has asked who calls, or where."""

    is_asked: bool = False


@contextmanager
def noticing() -> Iterator[Noticed]:
    """Within the block it is noticed who asks for the principal or the root, in threads too that know its context."""
    noticed = Noticed()
    token = _noticed.set(noticed)
    try:
        yield noticed
    finally:
        _noticed.reset(token)


def current_root() -> str:
    """Where clients reach this server, without a path: PUBLIC_URL, or what the request names; '' where neither is."""
    _notice()
    request = _request.get()
    return hosts.root_of(request) if isinstance(request, Request) else public_url()


@contextmanager
def serving_stdio(find: Callable[[], Principal | None]) -> Iterator[None]:
    """Within the block, messages that come with no HTTP request act for whom `find` finds: whoever started us may.

    It is asked for each message, in a worker, so a tenant that is suspended meanwhile is served no more.
    """
    token = _over_stdio.set(find)
    try:
        yield
    finally:
        _over_stdio.reset(token)


def principal_again(request: object) -> Callable[[], Awaitable[Principal | None]]:
    """A function that finds the principal of the current message anew; it finds None where that may act no more.

    `request` is None over stdio.
    """
    if isinstance(request, Request):
        return functools.partial(authentication.principal_of, request)
    return functools.partial(_found, _over_stdio.get())


async def boundary(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """An SDK middleware: sets principal, language and time zone, and opens the tenant context, for every message.

    The principal is read from the request of this very message and not from the session's first one, so a
    session that outlived its token, or moved to another URL, acts as what it is now.
    """
    principal = await _principal_of(ctx.request)
    token, request = _principal.set(principal), _request.set(ctx.request)
    try:
        with (
            translation.override(language_of(ctx.request, principal)),
            timezone.override(zones.of(principal.time_zone or "UTC")),
            cancellation.of(ctx),
            outages.told_as_errors(),
        ):
            if principal.tenant_id is None:
                return await call_next(ctx)
            async with checked_tenant_context(principal.tenant_id):
                return await call_next(ctx)
    finally:
        _request.reset(request)
        _principal.reset(token)


def language_of(request: object, principal: Principal) -> str:
    """What the request asks for (Accept-Language, RFC 9110 12.5.4), or else the tenant's, or the installation's."""
    wanted = request.headers.get("Accept-Language", "") if isinstance(request, Request) else ""
    return languages.asked(wanted) or principal.locale or settings.LANGUAGE_CODE


def _notice() -> None:
    if (noticed := _noticed.get()) is not None:
        noticed.is_asked = True


async def _principal_of(request: object) -> Principal:
    principal = None
    if isinstance(request, Request):
        user = request.scope.get("user")
        if isinstance(user, AuthenticatedUser) and isinstance(user.access_token, PrincipalToken):
            principal = user.access_token.principal
            if not principal.is_of(request.path_params.get("tenant", "")):
                principal = None
    else:
        with outages.told_as_errors():
            principal = await _found(_over_stdio.get())
    if principal is None:
        raise MCPError(NOT_AUTHENTICATED.code, NOT_AUTHENTICATED.message)
    return principal


async def _found(find: Callable[[], Principal | None] | None) -> Principal | None:
    return await workers.run(find) if find is not None else None
