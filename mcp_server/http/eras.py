"""Which era of the protocol an HTTP request is of, as the SDK tells them apart: by its header alone."""

from __future__ import annotations

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import Scope


def has_handshake(scope: Scope) -> bool:
    """Whether the request is of a protocol in which `initialize` comes first; a version nobody knows is not."""
    version = Headers(scope=scope).get("mcp-protocol-version")
    return version is None or version in HANDSHAKE_PROTOCOL_VERSIONS
