"""Authentication of the MCP door: the SDK's bearer parts, asked for the tenant of the URL."""

from __future__ import annotations

from django.conf import settings
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthCredentials, AuthenticationBackend
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from core import principals
from core.principals import Principal
from mcp_server import workers


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


class TokenOf:
    """A token verifier (the SDK's protocol) for one URL: a tenant's, or, where it is '', the platform's."""

    def __init__(self, subdomain: str) -> None:
        self.subdomain = subdomain

    async def verify_token(self, token: str) -> AccessToken | None:
        """The access token, or None for whatever reason."""
        if self.subdomain:
            principal = await workers.run(principals.authenticate, token, subdomain=self.subdomain)
        else:
            principal = await workers.run(principals.authenticate_platform, token)
        return PrincipalToken.of(principal) if principal else None


class UrlTokens(AuthenticationBackend):
    """Accepts a bearer token (RFC 6750 2.1) of the tenant in the URL; at the platform's URL, a platform token."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, AuthenticatedUser] | None:
        backend = BearerAuthBackend(TokenOf(conn.path_params.get("tenant", "")))
        accepted: tuple[AuthCredentials, AuthenticatedUser] | None = await backend.authenticate(conn)
        return accepted


class PublicTenants(UrlTokens):
    """MCP_AUTH=public: whoever knows a tenant's URL may act for it. The platform's URL still needs its token."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, AuthenticatedUser] | None:
        subdomain = conn.path_params.get("tenant", "")
        if not subdomain:
            return await super().authenticate(conn)
        principal = await workers.run(principals.open_door, subdomain)
        if principal is None:
            return None
        return AuthCredentials(sorted(principal.scopes)), AuthenticatedUser(PrincipalToken.of(principal))


BACKENDS = {"token": UrlTokens, "public": PublicTenants}


async def principal_of(conn: HTTPConnection) -> Principal | None:
    """For whom the credentials of a request stand now."""
    accepted = await BACKENDS[settings.MCP_AUTH]().authenticate(conn)
    token = accepted[1].access_token if accepted else None
    return token.principal if isinstance(token, PrincipalToken) else None


def protected(app: ASGIApp) -> ASGIApp:
    """`app` behind authentication: without a valid principal for the URL, 401 with a JSON body (RFC 6750 3)."""
    required = RequireAuthMiddleware(AuthContextMiddleware(app), required_scopes=[])
    return AuthenticationMiddleware(required, backend=BACKENDS[settings.MCP_AUTH]())
