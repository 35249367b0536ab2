"""Authentication of the MCP endpoint: the SDK's parts, asked for the tenant of the URL."""

from __future__ import annotations

from django.conf import settings
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from mcp_server import workers
from mcp_server.http import bearer
from mcp_server.http.bearer import Challenge
from mcp_server.principals import Principal
from mcp_server.tokens import resolver


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


class UrlTokens(AuthenticationBackend):
    """Accepts a bearer token (RFC 6750 2.1) of the tenant in the URL; at the platform's URL, a platform token."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, AuthenticatedUser]:
        """Whom the request shows. Raises Refused."""
        token = bearer.token_in(conn.headers.getlist("Authorization"))
        if isinstance(token, Challenge):
            raise Refused(token)
        if subdomain := conn.path_params.get("tenant", ""):
            principal = await workers.run(resolver.authenticate, token, slug=subdomain)
        else:
            principal = await workers.run(resolver.authenticate_platform, token)
        return _shown(principal, bearer.INVALID)


class PublicTenants(UrlTokens):
    """MCP_AUTH=public: whoever knows a tenant's URL may act for it. The platform's URL still needs its token."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, AuthenticatedUser]:
        """Whom the request shows. Raises Refused."""
        subdomain = conn.path_params.get("tenant", "")
        if not subdomain:
            return await super().authenticate(conn)
        return _shown(await workers.run(resolver.open_endpoint, subdomain), bearer.MISSING)


BACKENDS = {"token": UrlTokens, "public": PublicTenants}


async def principal_of(conn: HTTPConnection) -> Principal | None:
    """For whom the credentials of a request stand now."""
    try:
        _, user = await BACKENDS[settings.MCP_AUTH]().authenticate(conn)
    except Refused:
        return None
    token = user.access_token
    return token.principal if isinstance(token, PrincipalToken) else None


def protected(app: ASGIApp) -> ASGIApp:
    """`app` behind authentication: whoever shows no principal of the URL is refused with a challenge."""
    required = RequireAuthMiddleware(AuthContextMiddleware(app), required_scopes=[])
    return AuthenticationMiddleware(required, backend=BACKENDS[settings.MCP_AUTH](), on_error=_refusal)


def _shown(principal: Principal | None, otherwise: Challenge) -> tuple[AuthCredentials, AuthenticatedUser]:
    if principal is None:
        raise Refused(otherwise)
    return AuthCredentials(sorted(principal.scopes)), AuthenticatedUser(PrincipalToken.of(principal))


def _refusal(conn: HTTPConnection, error: AuthenticationError) -> Response:
    challenge = error.challenge if isinstance(error, Refused) else bearer.INVALID
    return JSONResponse(challenge.body, challenge.status, headers={"WWW-Authenticate": challenge.header})
