"""Requests that no client of the protocol sends: each is answered, none is an error of the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from django.core.asgi import get_asgi_application
from django.test import override_settings
from starlette.applications import Starlette
from starlette.routing import Mount

from mcp_server import Limits, by_token
from tests.mcp_server.test_app import asked, naming
from tests.support.world import World

MODES = ["stateless", "stateful"]
PATHS = [
    "/mcp/acme",
    "/mcp/acme/",
    "/mcp/",
    "/mcp",
    "/mcp/acme/sse",
    "/mcp/acme/messages/",
    "/mcp/acme/x/y",
    "/mcp/%00/",
]
METHODS = ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "GET", "POST", "SPAM"]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    with override_settings(MCP_SESSIONS=request.param):
        yield request.param


async def websocket(app: Any, path: str) -> list[dict[str, Any]]:
    """What a server is told to send to a websocket."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "ws",
        "subprotocols": [],
        "headers": [(b"host", b"localhost"), (b"authorization", b"Bearer none")],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


@pytest.mark.anyio
@pytest.mark.parametrize("path", [*PATHS, "/own"])
async def test_a_websocket_is_closed(path: str, mode: str) -> None:
    mcp = naming("closed", platform=True, authenticate=by_token)
    inner = naming("inner").asgi(django=get_asgi_application())
    apps = [mcp.asgi(), mcp.asgi(django=get_asgi_application()), Starlette(routes=[Mount("/", mcp.asgi(django=inner))])]

    for app in apps:
        [message] = await websocket(app, path)
        assert (message["type"], message["code"]) == ("websocket.close", 1000)


@pytest.mark.anyio
async def test_an_application_around_django_gets_its_websockets() -> None:
    async def channels(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    app = naming("beside").asgi(django=channels)

    assert await websocket(app, "/own") == [{"type": "websocket.accept"}]


def test_every_method_at_every_path_is_answered(mode: str, acme: World, caplog: pytest.LogCaptureFixture) -> None:
    app = naming("asked", platform=True, authenticate=by_token, limits=Limits(failed_logins="")).asgi()

    async def story(client: httpx2.AsyncClient) -> dict[tuple[str, str, str], int]:
        found = {}
        for token in ("", "none", acme.token):
            client.headers["Authorization"] = f"Bearer {token}"
            for path in PATHS:
                for method in METHODS:
                    # One that may open a stream, which this client would wait for.
                    if token == acme.token and method == "GET" and mode == "stateful":
                        continue
                    found[token, path, method] = (await client.request(method, path)).status_code
        return found

    statuses = asked(app, story)

    assert {each: status for each, status in statuses.items() if status >= 500} == {}
    assert "failed unexpectedly" not in caplog.text
    assert statuses[acme.token, "/mcp/acme/sse", "HEAD"] == (404 if mode == "stateless" else 405)
    if mode == "stateless":
        assert {statuses[acme.token, "/mcp/acme/", method] for method in METHODS if method != "POST"} == {405}
        assert {statuses[acme.token, "/mcp/acme/x/y", method] for method in METHODS} == {404}
