"""The URL of a tenant's endpoint, by which tokens are made for it, and where its metadata stands (RFC 9728, 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.http.authentication import Advertised
from mcp_server.http.hosts import WELL_KNOWN, NamedHosts, root_of

if TYPE_CHECKING:
    from mcp_server.app import MCP

# Where the scope of a request has the path of its endpoint, and the one below which our application is mounted.
RESOURCE_KEY = "mcp_server.resource"
# Seconds for which a client may keep the metadata.
METADATA_LIFETIME = 300


def url(connection: HTTPConnection) -> str:
    """The URL that a request is for, as the client has written it: with a slash at its end or without."""
    path, _ = connection.scope[RESOURCE_KEY]
    return root_of(connection) + quote(path)


def spellings(resource: str) -> list[str]:
    """A tenant's URL with a slash at its end and without, which are one endpoint."""
    plain = resource.removesuffix("/")
    return [plain, f"{plain}/"]


def metadata_url(connection: HTTPConnection) -> str:
    """Where the metadata of the endpoint stands that a request is for.

    Where our application is mounted in another one, below that: there nothing else of ours is.
    """
    path, mounted = connection.scope[RESOURCE_KEY]
    return f"{root_of(connection)}{quote(mounted)}{WELL_KNOWN}{quote(path.removeprefix(mounted))}"


def located(scope: Scope, at: str) -> tuple[str, str]:
    """What RESOURCE_KEY stands for in a request to an endpoint below `at`; the pair of HTTP and SSE is one endpoint."""
    slug = scope["path_params"]["tenant"]
    mounted = scope.get("root_path", "")
    pair = f"{at}/{slug}"
    if mounted.endswith(pair):
        return f"{mounted}/", mounted.removesuffix(pair)
    return scope["path"], mounted


class Metadata:
    """Answers for each tenant's URL, whether there is such a tenant or not."""

    def __init__(self, mcp: MCP, advertised: Advertised) -> None:
        self._mcp, self._advertised = mcp, advertised

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        if scope["method"] not in ("GET", "HEAD"):
            answer = JSONResponse({"error": "method_not_allowed"}, 405, headers={"Allow": "GET, HEAD"})
        else:
            mounted = scope.get("root_path", "")
            path = scope["path"].removeprefix(mounted).removeprefix(WELL_KNOWN)
            resource = root_of(connection) + quote(mounted + path)
            found = self._advertised.metadata(resource, self._mcp.name, self._mcp.default_scopes())
            answer = JSONResponse(found, headers={"Cache-Control": f"public, max-age={METADATA_LIFETIME}"})
        await answer(scope, receive, send)


def served(mcp: MCP, advertised: Advertised) -> ASGIApp:
    """The metadata, behind what every request to an endpoint passes first."""
    return NamedHosts(Metadata(mcp, advertised))
