"""Authentication of the MCP endpoints: the SDK's parts, which ask for the tenant of the URL.

Who is calling is for the project to say, in a coroutine function: `Authenticate`. Here are two of them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import lru_cache, partial
from typing import Any

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server import metrics, workers
from mcp_server.http import bearer
from mcp_server.http.bearer import Challenge
from mcp_server.http.kept import MAX_PRINCIPALS, KeptPrincipals
from mcp_server.limits.logins import FailedLogins
from mcp_server.principals import Principal
from mcp_server.tokens import resolver

# Called with a request and the tenant's slug in its URL, '' at the platform's URL, outside of any tenant context. It
# answers who calls, or None: then the request is refused with 401. It may not block: what asks the database is called
# with `await workers.run(function, ...)`.
Authenticate = Callable[[HTTPConnection, str], Awaitable[Principal | None]]


class Advertised(ABC):
    """An `Authenticate` that tells clients where a token is got (RFC 9728). It may raise Refused."""

    @abstractmethod
    async def __call__(self, connection: HTTPConnection, slug: str) -> Principal | None: ...

    @abstractmethod
    def parameters(self, connection: HTTPConnection) -> Mapping[str, str]:
        """What the challenge to a request says beside its error."""

    @abstractmethod
    def metadata(self, url: str, name: str, scopes: Collection[str]) -> dict[str, Any]:
        """What is told of a tenant's URL, whether it is one or not, on the server of this name with these scopes."""


# Where the scope of a request has the backend that authenticates it.
AUTHENTICATE_KEY = "mcp_server.authentication"

UNAUTHORIZED = 401


async def by_token(connection: HTTPConnection, slug: str) -> Principal | None:
    """Whoever shows a bearer token (RFC 6750, section 2.1) of the tenant; at the platform's URL, a platform token.

    The database is asked at most once a second for one of them: see mcp_server.http.kept.
    """
    token = bearer.token_in(connection.headers.getlist("Authorization"))
    if isinstance(token, Challenge):
        return None
    look_up = partial(resolver.authenticate, slug=slug) if slug else resolver.authenticate_platform
    return await kept(connection).get((slug, resolver.digest(token)), lambda: workers.run(look_up, token))


async def anyone(connection: HTTPConnection, slug: str) -> Principal | None:
    """Whoever knows the URL of an active tenant, with the scopes of the server. The platform still needs its token."""
    if not slug:
        return await by_token(connection, slug)
    scopes = server_scopes(connection)
    look_up = partial(resolver.open_endpoint, scopes=scopes)
    return await kept(connection).get((slug, scopes), lambda: workers.run(look_up, slug))


def server_scopes(connection: HTTPConnection) -> frozenset[str]:
    """The scopes of the server that a request is for, without those on request. Raises KeyError: it is for none."""
    backend: Backend = connection.scope[AUTHENTICATE_KEY]
    return backend.scopes


def every_scope(connection: HTTPConnection) -> frozenset[str]:
    """The same with those on request."""
    backend: Backend = connection.scope[AUTHENTICATE_KEY]
    return backend.scopes | backend.scopes_on_request


def forget(request: object, principal: Principal) -> None:
    """After a change that this principal has made in a request: whom it may concern is looked up again."""
    if isinstance(request, HTTPConnection):
        kept(request).forget(principal.tenant_id)


def kept(connection: HTTPConnection) -> KeptPrincipals:
    """The principals of the server that a request is for. Raises KeyError: it is for none."""
    backend: Backend = connection.scope[AUTHENTICATE_KEY]
    return backend.principals


class PrincipalToken(AccessToken):
    """An access token with the principal that it stands for."""

    principal: Principal

    @classmethod
    def of(cls, principal: Principal) -> PrincipalToken:
        """The SDK compares client and subject with those that opened a session: both hold the tenant."""
        return cls(
            token="",
            client_id=principal.subject,
            subject=principal.subject,
            scopes=sorted(principal.scopes),
            principal=principal,
        )


class Refused(AuthenticationError):
    """No principal of this URL is shown."""

    def __init__(self, challenge: Challenge) -> None:
        super().__init__(challenge.description)
        self.challenge = challenge


class Backend(AuthenticationBackend):
    """Asks `authenticate` who calls, and refuses whoever is not of the URL.

    `scopes` are those of the server, without those on request; `principals` are whom it has found a moment ago.
    """

    def __init__(
        self,
        authenticate: Authenticate,
        scopes: frozenset[str],
        principals: KeptPrincipals | None = None,
        *,
        scopes_on_request: frozenset[str] = frozenset(),
    ) -> None:
        self._authenticate = authenticate
        self.scopes, self.scopes_on_request = scopes, scopes_on_request
        self.principals = KeptPrincipals() if principals is None else principals

    def anew(self) -> Backend:
        """The same, which has found nobody yet."""
        return Backend(self._authenticate, self.scopes, scopes_on_request=self.scopes_on_request)

    def parameters(self, connection: HTTPConnection) -> Mapping[str, str]:
        """What a challenge says beside its error."""
        return self._authenticate.parameters(connection) if isinstance(self._authenticate, Advertised) else {}

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, AuthenticatedUser]:
        """The principal that the request authenticates. Raises Refused."""
        slug = conn.path_params.get("tenant", "")
        principal = await self._authenticate(conn, slug)
        if principal is None or not principal.is_of(slug):
            token = bearer.token_in(conn.headers.getlist("Authorization"))
            raise Refused(token if isinstance(token, Challenge) else bearer.TOKEN_INVALID)
        return _shown(principal)


@lru_cache(maxsize=MAX_PRINCIPALS)
def _shown(principal: Principal) -> tuple[AuthCredentials, AuthenticatedUser]:
    """How the SDK and Starlette want to see a principal."""
    return AuthCredentials(sorted(principal.scopes)), AuthenticatedUser(PrincipalToken.of(principal))


class Protected:
    """`app` behind authentication: whoever shows no principal of the URL is refused with a challenge.

    An address that was refused too often is not looked at for a while: 429.
    """

    def __init__(self, app: ASGIApp, backend: Backend, logins: FailedLogins) -> None:
        required = RequireAuthMiddleware(AuthContextMiddleware(app), required_scopes=[])
        self._app = AuthenticationMiddleware(required, backend=Counted(backend, logins), on_error=_refusal)
        self._backend = backend
        self._logins = logins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if seconds := self._logins.seconds_refused(scope):
            metrics.refused("failed_logins")
            await too_many_failures(seconds)(scope, receive, send)
            return
        await self._app({**scope, AUTHENTICATE_KEY: self._backend}, receive, send)


class Counted(AuthenticationBackend):
    """A backend whose answers count for the address of who asks."""

    def __init__(self, backend: Backend, logins: FailedLogins) -> None:
        self._backend, self._logins = backend, logins

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, AuthenticatedUser]:
        """What the backend answers. Raises Refused."""
        try:
            found = await self._backend.authenticate(conn)
        except Refused as error:
            if error.challenge.status == UNAUTHORIZED:
                await self._logins.failed(conn.scope)
            raise
        self._logins.let_in(conn.scope)
        return found


async def principal_of(conn: HTTPConnection) -> Principal | None:
    """The principal of a request that was let through, authenticated anew; None where it may act no more."""
    backend = conn.scope[AUTHENTICATE_KEY].anew()
    try:
        _, user = await backend.authenticate(HTTPConnection({**conn.scope, AUTHENTICATE_KEY: backend}))
    except Refused:
        return None
    token = user.access_token
    return token.principal if isinstance(token, PrincipalToken) else None


def too_many_failures(seconds: float) -> Response:
    """The answer to an address whose requests were refused too often."""
    whole = math.ceil(seconds)
    said = (
        "Too many requests from your address were refused with 401. "
        f"Send the next one after {whole} seconds, with a token that opens this URL."
    )
    return JSONResponse(
        {"error": "too_many_failed_logins", "error_description": said}, 429, headers={"Retry-After": str(whole)}
    )


def _refusal(conn: HTTPConnection, error: AuthenticationError) -> Response:
    challenge = error.challenge if isinstance(error, Refused) else bearer.TOKEN_INVALID
    bearer.log_refusal(challenge, conn.path_params.get("tenant", ""))
    if challenge.status == 503:  # no other token would help
        return JSONResponse(challenge.body, 503, headers={"Retry-After": "1"})
    headers = {"WWW-Authenticate": challenge.header_with(conn.scope[AUTHENTICATE_KEY].parameters(conn))}
    return JSONResponse(challenge.body, challenge.status, headers=headers)
