"""The URLs of a server's endpoints, as clients reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from mcp_server.configuration import public_url
from mcp_server.connect.clients import Server
from mcp_server.declare.tools import Endpoint
from mcp_server.http import serve

if TYPE_CHECKING:
    from mcp_server.app import MCP

# Stands in a URL for the tenant.
TENANT_VARIABLE = "{tenant}"


class AddressInvalid(ValueError):
    """What was given as the address of the application is none. The text says what to write."""


def root(given: str = "") -> str:
    """Where clients reach the application, without a slash at its end: what was given, or PUBLIC_URL, or what HOST and
    PORT of the environment say.

    Raises AddressInvalid, and mcp_server.http.serve.CannotServe where HOST and PORT are none.
    """
    found = (given or public_url() or serve.url(*serve.address())).rstrip("/")
    parts = urlsplit(found)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in found:
        raise AddressInvalid(f"{found!r} is no address of an application; write https://app.example.com")
    return found


def endpoint(mcp: MCP, root: str, slug: str) -> str:
    """The URL of a tenant's endpoint; of the platform's where `slug` is ''."""
    tenant = f"{quote(slug, safe='')}/" if slug else ""
    return f"{root}{mcp.at}/{tenant}"


def template(mcp: MCP, root: str) -> str:
    """The URL of every tenant's endpoint, with a variable for the tenant."""
    return f"{root}{mcp.at}/{TENANT_VARIABLE}/"


def server(mcp: MCP, root: str, slug: str, *, name: str = "", takes_token: bool | None = None) -> Server:
    """The endpoint of a tenant, or, where `slug` is '', of the platform, as a client is told of it.

    It is named after the tenant: whoever works for two has two of them. Where `takes_token` is None, the server says.
    """
    at = Endpoint.TENANT if slug else Endpoint.PLATFORM
    shown = mcp.asks_for_token(at) if takes_token is None else takes_token
    return Server.at(endpoint(mcp, root, slug), name or slug or f"{mcp.name}-platform", takes_token=shown)
