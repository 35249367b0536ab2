"""Which era of the protocol an HTTP request is of, as the SDK tells them apart: by its header alone."""

from __future__ import annotations

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.types import Scope

from mcp_server.http import requests


def has_handshake(scope: Scope) -> bool:
    """Whether the request is of a protocol in which `initialize` comes first; a version nobody knows is not."""
    versions = requests.values(scope, b"mcp-protocol-version")
    return not versions or versions[0] in HANDSHAKE_PROTOCOL_VERSIONS
