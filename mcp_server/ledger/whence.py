"""From where a message comes: the program that sends it, its network address, and what the log calls its request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from starlette.requests import HTTPConnection

from mcp_server.http.tracing import Trace
from mcp_server.texts import UNSTORABLE

# Characters, as wide as the columns.
MAX_ACTOR_LENGTH = 100
MAX_ACTOR_ID_LENGTH = 200
MAX_REQUEST_ID_LENGTH = 64
MAX_CLIENT_LENGTH = 200
MAX_ADDRESS_LENGTH = 64
# Of what is called: a tool's name has at most 64, and a resource that was added by hand has its URI.
MAX_ACTION_LENGTH = 200
MAX_OUTCOME_LENGTH = 40

USER_AGENT = b"user-agent"


@dataclass(frozen=True, slots=True)
class Whence:
    """`client` is the name and version that a program says of itself, or its User-Agent. What is unknown is ''."""

    request_id: str = ""
    client: str = ""
    address: str = ""

    @classmethod
    def of(cls, ctx: ServerRequestContext[Any, Any]) -> Whence:
        """That of a message: over HTTP, of the request that carries it; over stdio there is the program alone."""
        said = ctx.session.client_params
        client = f"{said.client_info.name} {said.client_info.version}" if said else ""
        if not isinstance(ctx.request, HTTPConnection):
            return cls(client=storable(client, MAX_CLIENT_LENGTH))
        scope = ctx.request.scope
        # Read as they are: an object for them costs more than the rest.
        client = client or dict(scope["headers"]).get(USER_AGENT, b"").decode("latin-1")
        trace = Trace.of(scope)
        return cls(trace.request_id, storable(client, MAX_CLIENT_LENGTH), storable(trace.address, MAX_ADDRESS_LENGTH))


NOWHERE = Whence()


def storable(text: str, length: int) -> str:
    """A text for a column of this many characters."""
    return UNSTORABLE.sub("\ufffd", text[:length])
