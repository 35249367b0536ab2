"""A request is answered the same on the direct road and by the SDK's transport."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Annotated, Any
from uuid import UUID

import anyio
import pytest
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import Message, Receive, Scope, Send

from mcp_server import MCP, Argument, Refusal, server
from mcp_server.declare.tools import Endpoint
from mcp_server.http import envelopes
from mcp_server.http.authentication import PrincipalToken
from mcp_server.http.direct import Direct
from mcp_server.http.transport import UNGUARDED
from mcp_server.principals import Principal
from tests.support.processes import ERAS, Era
from tests.support.raw import META, message
from tests.support.servers import own

CALLER = Principal("direct", UUID(int=1), "acme", "en", "UTC", "direct")
# What no two answers share.
REFERENCE = re.compile(rb"reference [0-9a-f]{12}")

Answer = tuple[int, dict[str, str], Any]


def offered() -> MCP:
    mcp = own()

    @mcp.tool(scope=None, read_only=True)
    def add(a: int, b: int = 2) -> dict[str, int | str | None]:
        """Adds."""
        return {"sum": a + b, "name": "加 <é>", "nothing": None}

    @mcp.tool(scope=None, read_only=True)
    def refuse() -> str:
        """Refuses."""
        raise Refusal("Not today. 不行")

    @mcp.tool(scope=None, read_only=True)
    def fail() -> str:
        """Fails."""
        raise ZeroDivisionError

    @mcp.tool(scope=None, read_only=True)
    async def wait() -> str:
        """Takes a while."""
        await asyncio.sleep(0)
        return "waited"

    @mcp.tool(
        scope=None,
        read_only=True,
        input_schema={"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
    )
    def mirrored(region: str = "") -> str:
        """Has an argument that stands in a header too."""
        return region

    @mcp.prompt(scope=None)
    def greet(name: Annotated[str, Argument("Whom.")]) -> str:
        """Greets."""
        return f"Hello {name}"

    return mcp


def call(tool: str, era: Era, **arguments: Any) -> dict[str, Any]:
    return message("tools/call", {"name": tool, "arguments": arguments}, era)


def scope_of(body: Any, era: Era, more: list[tuple[str, str]]) -> Scope:
    params = body.get("params") or {}
    headers = [("content-type", "application/json"), ("accept", "application/json"), ("host", "127.0.0.1")]
    if era != "legacy":
        headers += [("mcp-protocol-version", era), ("mcp-method", body["method"])]
        headers += [("mcp-name", params["name"])] if "name" in params else []
    replaced = {name for name, _ in more}
    headers = [each for each in headers if each[0] not in replaced] + more
    return {
        "type": "http",
        "method": "POST",
        "path": "/mcp/acme/",
        "query_string": b"",
        "path_params": {"tenant": "acme"},
        "user": AuthenticatedUser(PrincipalToken.of(CALLER)),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        envelopes.MESSAGE_KEY: envelopes.read(json.dumps(body).encode()),
    }


async def answered(app: Any, scope: Scope, body: Any) -> Answer:
    """Status, headers, and the JSON of an answer."""
    waiting: list[Message] = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if not waiting:
            await anyio.sleep_forever()
        return waiting.pop()

    async def send(part: Message) -> None:
        sent.append(part)

    await AuthContextMiddleware(app)(scope, receive, send)
    content = b"".join(part.get("body", b"") for part in sent)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert headers.pop("content-length") == str(len(content))
    is_json = headers.get("content-type") == "application/json"
    return sent[0]["status"], headers, json.loads(REFERENCE.sub(b"reference", content)) if is_json else content


class Road:
    """The SDK's transport, which remembers whether it was taken."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager
        self.is_taken = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.is_taken = True
        await self._manager.handle_request(scope, receive, send)


def both_ways(body: Any, era: Era, more: list[tuple[str, str]] | None = None) -> tuple[Answer, Answer, bool]:
    """The answer of `Direct`, that of the SDK's transport, and whether the first was the second's too."""

    async def story() -> tuple[Answer, Answer, bool]:
        mcp = server.build(offered(), Endpoint.TENANT)
        mcp.streamable_http_app(stateless_http=True, json_response=True, transport_security=UNGUARDED)
        manager = mcp.session_manager
        road, scope = Road(manager), scope_of(body, era, more or [])
        async with manager.run():
            mine = await answered(Direct(manager.app, road), scope, body)
            return mine, await answered(manager.handle_request, scope, body), road.is_taken

    return asyncio.run(story())


PLAIN = [
    lambda era: call("add", era, a=1),
    lambda era: call("add", era, a="1", b=None),
    lambda era: call("add", era, a="one"),
    lambda era: call("add", era, a=1, c=2),
    lambda era: call("add", era),
    lambda era: call("refuse", era),
    lambda era: call("fail", era),
    lambda era: call("wait", era),
    lambda era: call("unknown", era),
    lambda era: message("tools/call", {"name": "add", "arguments": []}, era),
    lambda era: message("tools/list", None, era, id="a"),
    lambda era: message("tools/list", {"cursor": "x"}, era),
    lambda era: message("prompts/get", {"name": "greet", "arguments": {"name": "é"}}, era, id=0),
    lambda era: message("prompts/get", {"name": "greet"}, era),
    lambda era: message("prompts/list", None, era),
    lambda era: message("resources/list", None, era),
    lambda era: message("unknown/method", None, era),
    lambda era: message("ping", None, era),
    lambda era: message("logging/setLevel", {"level": "info"}, era),
    lambda era: message("server/discover", None, era),
]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("made", PLAIN)
def test_a_plain_request_is_answered_without_the_transport_and_the_same(made: Any, era: Era) -> None:
    mine, theirs, is_passed_on = both_ways(made(era), era)

    assert mine == theirs
    assert not is_passed_on


@pytest.mark.parametrize("version", [None, "2025-03-26", "2025-06-18"])
def test_the_other_older_versions_are_too(version: str | None) -> None:
    more = [] if version is None else [("mcp-protocol-version", version)]

    mine, theirs, is_passed_on = both_ways(call("add", "legacy", a=1), "legacy", more)

    assert mine == theirs
    assert not is_passed_on


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/json;charset=UTF-8"])
def test_a_character_set_may_be_named(content_type: str, era: Era) -> None:
    mine, theirs, is_passed_on = both_ways(call("add", era, a=1), era, [("content-type", content_type)])

    assert mine == theirs
    assert not is_passed_on


@pytest.mark.parametrize(
    "more",
    [
        [("mcp-method", "tools/list")],
        [("mcp-method", "tools/call"), ("mcp-method", "tools/call")],
        [("mcp-name", "refuse")],
        [("mcp-protocol-version", "2027-01-01")],
        [("mcp-protocol-version", "2026-07-28"), ("mcp-protocol-version", "2026-07-28")],
        [("content-type", "text/plain")],
    ],
)
def test_what_the_transport_refuses_is_left_to_it(more: list[tuple[str, str]]) -> None:
    mine, theirs, is_passed_on = both_ways(call("add", "2026-07-28", a=1), "2026-07-28", more)

    assert mine == theirs
    assert mine[0] == 400
    assert is_passed_on


@pytest.mark.parametrize(
    "meta",
    [{}, {"_meta": None}, {"_meta": {}}, {"_meta": META["_meta"] | {"io.modelcontextprotocol/protocolVersion": 1}}],
)
def test_an_envelope_that_is_none_is_left_to_it(meta: dict[str, Any]) -> None:
    body = call("add", "2026-07-28", a=1)
    body["params"] = {"name": "add", "arguments": {"a": 1}} | meta

    mine, theirs, is_passed_on = both_ways(body, "2026-07-28")

    assert mine == theirs
    assert mine[0] == 400
    assert is_passed_on


@pytest.mark.parametrize(("header", "status"), [("north", 200), ("south", 400)])
def test_an_argument_that_a_header_repeats_is_left_to_it(header: str, status: int) -> None:
    body = call("mirrored", "2026-07-28", region="north")

    mine, theirs, is_passed_on = both_ways(body, "2026-07-28", [("mcp-param-region", header)])

    assert mine == theirs
    assert mine[0] == status
    assert is_passed_on


def test_a_handshake_is_left_to_it() -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}

    mine, theirs, is_passed_on = both_ways(message("initialize", hello), "legacy")

    assert mine == theirs
    assert is_passed_on


def test_nobody_is_served_without_the_boundary() -> None:
    body = call("add", "2026-07-28", a=1)

    async def story() -> Answer:
        mcp = server.build(offered(), Endpoint.TENANT)
        mcp.streamable_http_app(stateless_http=True, json_response=True, transport_security=UNGUARDED)
        manager = mcp.session_manager
        scope = scope_of(body, "2026-07-28", []) | {"user": None}
        async with manager.run():
            return await answered(Direct(manager.app, Road(manager)), scope, body)

    assert "Authentication required" in json.dumps(asyncio.run(story())[2])
