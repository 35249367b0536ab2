"""Who calls at a tenant's URL, as MCP_AUTH says."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from core.scopes import SCOPE_WORDS
from mcp_server import Issuer, ResourceServer, SignIn, anyone, by_token
from mcp_server.http.authentication import Authenticate


def authenticate() -> Authenticate:
    """The way of the settings. Raises ImproperlyConfigured: those of "oauth" do not fit together."""
    match settings.MCP_AUTH:
        case "public":
            return anyone
        case "oauth":
            return _by_identity_provider()
        case "sign-in":
            return SignIn(scope_words=SCOPE_WORDS)
        case _:
            return by_token


def _by_identity_provider() -> ResourceServer:
    if not settings.MCP_OAUTH_ISSUERS:
        raise ImproperlyConfigured(
            "MCP_AUTH is oauth, and MCP_OAUTH_ISSUERS is not set: write whose tokens are taken, as "
            "https://login.example.com/realms/shop"
        )
    if bool(settings.MCP_OAUTH_CLIENT_ID) != bool(settings.MCP_OAUTH_CLIENT_SECRET):
        raise ImproperlyConfigured("set MCP_OAUTH_CLIENT_ID and MCP_OAUTH_CLIENT_SECRET both, or neither")
    client = (settings.MCP_OAUTH_CLIENT_ID, settings.MCP_OAUTH_CLIENT_SECRET) if settings.MCP_OAUTH_CLIENT_ID else None
    return ResourceServer(
        *(Issuer(url, client) for url in settings.MCP_OAUTH_ISSUERS),
        audience=settings.MCP_OAUTH_AUDIENCE,
        tenant_claim=settings.MCP_OAUTH_TENANT_CLAIM,
    )
