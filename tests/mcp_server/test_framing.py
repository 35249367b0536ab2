"""One piece of JSON, or an event stream: whichever the request can use."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

from tests.mcp_server.processes import ERAS, Era, Process, connected
from tests.world import World

BOTH = "application/json, text/event-stream"


def call(progress_token: str | None = None, **arguments: Any) -> dict[str, Any]:
    params = {"name": "shop_steps", "arguments": arguments}
    if progress_token is not None:
        params["_meta"] = {"progressToken": progress_token}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def post(server: Process, world: World, body: bytes | dict[str, Any], accept: str = BOTH) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {world.token}", "Accept": accept, "Content-Type": "application/json"}
    return httpx2.post(server.mcp(world.subdomain), content=content, headers=headers, timeout=30)


@pytest.mark.parametrize("era", ERAS)
def test_progress_arrives_where_it_is_asked_for(era: Era, acme: World, server: Process) -> None:
    heard = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total))

    async def story() -> Any:
        async with connected(server.mcp("acme"), acme.token, era) as client:
            return await client.call_tool("shop_steps", {"steps": 3}, progress_callback=on_progress)

    result = asyncio.run(story())

    assert result.structured_content == {"names": ["Acme anvil"]}
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_a_plain_call_is_answered_in_one_piece(acme: World, server: Process) -> None:
    answer = post(server, acme, call())

    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["result"]["structuredContent"] == {"names": ["Acme anvil"]}


def test_a_call_that_wants_progress_is_answered_in_a_stream(acme: World, server: Process) -> None:
    answer = post(server, acme, call("t", steps=1))

    assert answer.headers["content-type"].startswith("text/event-stream")
    messages = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert [message.get("method") for message in messages] == ["notifications/progress", None]
    assert messages[-1]["result"]["structuredContent"] == {"names": ["Acme anvil"]}


def test_a_client_that_takes_no_stream_gets_none(acme: World, server: Process) -> None:
    answer = post(server, acme, call("t"), accept="application/json")

    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["result"]["structuredContent"] == {"names": ["Acme anvil"]}


@pytest.mark.parametrize("padding", [0, 100_000, 200_000])
def test_a_body_of_many_pieces_is_read_whole(padding: int, acme: World, server: Process) -> None:
    answer = post(server, acme, json.dumps(call("t", steps=1)).encode() + b" " * padding)

    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("token", [None, "t"])
def test_a_body_that_is_too_large_is_refused(token: str | None, acme: World, server: Process) -> None:
    answer = post(server, acme, json.dumps(call(token)).encode() + b" " * 300_000)

    assert answer.status_code == 413
