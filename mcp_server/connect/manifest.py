"""`server.json`: how the MCP registry, and clients that read it, are told of a server (MCP registry, "server.json")."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from mcp_server.app import MCP
from mcp_server.connect.addresses import template
from mcp_server.connect.clients import OTHER_CHARACTERS

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
MAX_DESCRIPTION_LENGTH = MAX_TITLE_LENGTH = 100  # characters
# Of hosts that nobody else reaches (RFC 6761 and 6762).
LOCAL_NAMES = ("localhost", "local", "test", "internal")


def manifest(mcp: MCP, root: str, *, namespace: str = "") -> dict[str, Any]:
    """What `server.json` holds: one remote server, whose URL has a variable for the tenant.

    Args:
        root: where clients reach the application; the registry takes what everybody reaches, over TLS.
        namespace: under which the server is registered, as "io.github.acme". Without it, it is the host's name
            backwards, which whoever owns the domain can prove.

    Raises ImproperlyConfigured: the registry would not take it. The text says what to write.
    """
    host = _public_host(root)
    facts = {
        "$schema": SCHEMA,
        "name": f"{namespace or '.'.join(reversed(host.split('.')))}/{OTHER_CHARACTERS.sub('-', mcp.name).strip('-')}",
        "title": _short(mcp, "title", MAX_TITLE_LENGTH),
        "description": _description(mcp),
        "version": _version(mcp),
        "remotes": [_remote(mcp, root)],
    }
    return {name: each for name, each in facts.items() if each}


def _remote(mcp: MCP, root: str) -> dict[str, Any]:
    tenant = {"description": "Your tenant: the name that stands in its address", "isRequired": True}
    token = {"description": "A token of that tenant", "isRequired": True, "isSecret": True}
    header = {
        "name": "Authorization",
        "description": "What opens the address",
        "isRequired": True,
        "isSecret": True,
        "value": "Bearer {token}",
        "variables": {"token": token},
    }
    return {
        "type": "streamable-http",
        "url": template(mcp, root),
        "variables": {"tenant": tenant},
        **({"headers": [header]} if mcp.asks_for_token() else {}),
    }


def _public_host(root: str) -> str:
    parts = urlsplit(root)
    host = parts.hostname or ""
    if parts.scheme != "https" or "." not in host or host.rpartition(".")[2] in LOCAL_NAMES or _is_number(host):
        raise ImproperlyConfigured(
            f"the registry takes servers that everybody reaches with https, and {root} is none; "
            "say --root https://app.example.com, or set PUBLIC_URL"
        )
    return host


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _version(mcp: MCP) -> str:
    if not mcp.version:
        raise ImproperlyConfigured(
            f'the server {mcp.name!r} has no version, and the registry takes none without; write MCP(version="1.0.0")'
        )
    return mcp.version


def _description(mcp: MCP) -> str:
    if not str(mcp.description):
        raise ImproperlyConfigured(
            f"the server {mcp.name!r} does not say what it is for; write one sentence into MCP(description=...)"
        )
    return _short(mcp, "description", MAX_DESCRIPTION_LENGTH)


def _short(mcp: MCP, field: str, length: int) -> str:
    text = str(getattr(mcp, field))
    if len(text) > length:
        raise ImproperlyConfigured(
            f"the {field} of the server {mcp.name!r} has {len(text)} characters, and the registry takes {length}; "
            f"shorten MCP({field}=...)"
        )
    return text
