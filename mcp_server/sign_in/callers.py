"""`SignIn`: whoever shows a token, which a client has got by sending its person to sign in here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from mcp_server import configuration
from mcp_server.declare.arguments import Words
from mcp_server.http import authentication, metadata
from mcp_server.http.authentication import Advertised, by_token
from mcp_server.principals import Principal


class SignIn(Advertised):
    """An `Authenticate`: the tokens of `mcp_server.tokens`, and where a client gets one (mcp_server.sign_in.urls).

    Args:
        scope_words: what a scope allows, in words for people: "See tickets".

    A person is a member of the tenant (MCP_MEMBER_MODEL), and gives at most what his role has there (MCP_ROLES).
    """

    def __init__(self, *, scope_words: Mapping[str, Words] | None = None) -> None:
        self.scope_words = {str(scope): words for scope, words in (scope_words or {}).items()}

    async def __call__(self, connection: HTTPConnection, slug: str) -> Principal | None:
        """Whoever shows a token of the tenant; at the platform's URL, a platform token."""
        return await by_token(connection, slug)

    def parameters(self, connection: HTTPConnection) -> Mapping[str, str]:
        """Where a client reads that it is to ask here (RFC 9728, 5.1), and what for."""
        if not connection.path_params.get("tenant"):
            return {}
        scopes = " ".join(sorted(authentication.server_scopes(connection)))
        found = {"resource_metadata": metadata.metadata_url(connection), "scope": scopes}
        return {name: value for name, value in found.items() if value}

    def metadata(self, url: str, name: str, scopes: Collection[str]) -> dict[str, Any]:
        """The metadata of a protected resource (RFC 9728, 2). The issuer is the address of this server."""
        parts = urlsplit(url)
        return {
            "resource": url,
            "resource_name": name,
            "authorization_servers": [configuration.public_url() or f"{parts.scheme}://{parts.netloc}"],
            "scopes_supported": sorted(scopes),
            "bearer_methods_supported": ["header"],
        }
