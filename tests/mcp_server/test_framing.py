"""One piece of JSON, or an event stream: whichever the request can use."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psycopg
import pytest
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST

from mcp_server.ledger.models import AuditEvent
from rls import tenant_context
from tests.support import raw
from tests.support.held import ASLEEP, LONG, sessions, until
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World

pytestmark = pytest.mark.slow

BOTH = "application/json, text/event-stream"


def call(progress_token: str | None = None, **arguments: Any) -> dict[str, Any]:
    params = {"name": "shop_steps", "arguments": arguments}
    if progress_token is not None:
        params["_meta"] = {"progressToken": progress_token}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def post(server: Process, world: World, body: bytes | dict[str, Any], accept: str = BOTH) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {world.token}", "Accept": accept, "Content-Type": "application/json"}
    return httpx2.post(server.mcp(world.subdomain), content=content, headers=headers, timeout=300)


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_progress_arrives_where_it_is_asked_for(era: Era, acme: World, server: Process) -> None:
    heard = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total))

    async with connected(server.mcp("acme"), acme.token, era) as client:
        result = await client.call_tool("shop_steps", {"steps": 3}, progress_callback=on_progress)

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


ADD = {"name": "add_numbers", "arguments": {"a": 1, "b": 2}}
EVENTS = "text/event-stream"
# An Accept header, or None for no header; whether it takes JSON, and whether it takes a stream (RFC 9110, 12.5.1).
ACCEPTS = [
    (None, True, True),
    ("", True, True),
    ("*/*", True, True),
    ("*/*;q=0.1", True, True),
    ("application/json, text/event-stream", True, True),
    ("text/event-stream,application/json", True, True),
    ("application/json;q=0.9, text/event-stream; q=0.5", True, True),
    ("APPLICATION/JSON, TEXT/*", True, True),
    ("text/html, */*;q=0.8", True, True),
    ("application/json; charset=utf-8, text/event-stream", True, True),
    ("application/*", True, False),
    ("application/*;q=0.2, text/html", True, False),
    ("application/json", True, False),
    ("application/json, text/event-stream;q=0", True, False),
    ("*/*, text/event-stream;q=0.0", True, False),
    ("text/event-stream", False, True),
    ("*/*, application/json;q=0", False, True),
    ("text/html", False, False),
    ("application/xml, image/*", False, False),
    ("*/*;q=0", False, False),
]
NAMES = [str(accept) for accept, _, _ in ACCEPTS]


@pytest.mark.parametrize("process", ["server", "stateful_server"])
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("accept", "takes_json", "takes_stream"), ACCEPTS, ids=NAMES)
def test_whoever_takes_an_answer_gets_one(
    accept: str | None,
    takes_json: bool,
    takes_stream: bool,
    era: Era,
    process: str,
    request: pytest.FixtureRequest,
    acme: World,
) -> None:
    server: Process = request.getfixturevalue(process)
    more = raw.session(server, acme) if (process, era) == ("stateful_server", "legacy") else {}

    answer = raw.post(server, acme, raw.message("tools/call", ADD, era), era, accept=accept, **more)

    if not takes_json and not takes_stream:
        assert (answer.status_code, answer.json()["error"]["code"]) == (406, INVALID_REQUEST)
        return
    assert answer.status_code == 200
    assert raw.result(answer)["result"]["structuredContent"] == {"result": 3}
    if not takes_stream:
        assert answer.headers["content-type"] == "application/json"
    if more:
        assert answer.headers["mcp-session-id"] == more["Mcp-Session-Id"]


@pytest.mark.parametrize("accept", [None, "*/*", "application/*", "application/json;q=0.5"])
def test_a_session_is_opened_for_whoever_takes_an_answer(
    accept: str | None, stateful_server: Process, acme: World
) -> None:
    opened = raw.post(stateful_server, acme, raw.message("initialize", raw.INITIALIZE), accept=accept)
    more = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    told = raw.post(stateful_server, acme, ready, accept=accept, **more)
    error = raw.post(stateful_server, acme, raw.message("tools/call", {"name": "none"}), accept=accept, **more)

    assert raw.result(opened)["result"]["protocolVersion"] == raw.LEGACY
    assert (told.status_code, told.text) == (202, "")
    assert raw.result(error)["error"]["code"] == INVALID_PARAMS


@pytest.mark.parametrize(
    ("accept", "status"),
    [*((each, 200 if takes_stream else 406) for each, _, takes_stream in ACCEPTS)],
    ids=NAMES,
)
def test_the_stream_of_a_session_is_for_whoever_takes_one(
    accept: str | None, status: int, stateful_server: Process, acme: World
) -> None:
    sent = raw.headers(acme.token) | raw.session(stateful_server, acme)

    assert opened(stateful_server.mcp("acme"), sent, accept) == status


@pytest.mark.parametrize("accept", [None, "*/*", "text/*;q=0.3", EVENTS])
def test_the_older_stream_is_for_whoever_takes_one(accept: str | None, stateful_server: Process, acme: World) -> None:
    assert opened(stateful_server.mcp("acme") + "sse", raw.headers(acme.token), accept) == 200


@pytest.mark.parametrize("accept", [None, "*/*", BOTH, "text/*, application/json"])
@pytest.mark.parametrize("process", ["server", "stateful_server"])
def test_who_listens_gets_a_stream(
    accept: str | None, process: str, request: pytest.FixtureRequest, acme: World
) -> None:
    server: Process = request.getfixturevalue(process)
    asked = {"notifications": {"resourceSubscriptions": ["product://A-1"]}}
    body = json.dumps(raw.message("subscriptions/listen", asked, "2026-07-28"))
    sent = raw.headers(acme.token, "2026-07-28", "subscriptions/listen")

    assert opened(server.mcp("acme"), sent, accept, body) == 200


def test_two_accept_headers_are_one_list(server: Process, acme: World) -> None:
    body = json.dumps(call("t", steps=1)).encode()
    head = raw.head(acme, Accept="application/json", **{"Content-Length": str(len(body)), "Connection": "close"})

    with raw.connection(server) as connection:
        connection.sendall(head + b"Accept: text/event-stream\r\n\r\n" + body)
        said = raw.until_closed(connection)

    assert b"content-type: text/event-stream" in said


@pytest.mark.parametrize("accept", [None, "*/*", "application/*"])
def test_progress_is_for_those_who_name_the_stream(accept: str | None, server: Process, acme: World) -> None:
    answer = raw.post(server, acme, call("t", steps=1), accept=accept)

    assert answer.headers["content-type"] == "application/json"


def test_a_question_that_can_not_be_asked_is_not_waited_for(stateful_server: Process, acme: World) -> None:
    able = raw.INITIALIZE | {"capabilities": {"elicitation": {}}}
    started = raw.post(stateful_server, acme, raw.message("initialize", able))
    more = {"Mcp-Session-Id": started.headers["mcp-session-id"]}
    params = {"name": "manage_tenant_settings", "arguments": {"max_discount_percent": 30}}
    agreed = {"jsonrpc": "2.0", "id": 0, "result": {"action": "accept", "content": {"confirm": True}}}
    calls = {"message": "tool call", "tool": "manage_tenant_settings"}
    before, events_before = len(raw.log_lines(stateful_server, **calls)), events(acme)

    answer = raw.post(stateful_server, acme, raw.message("tools/call", params), accept="application/json", **more)
    raw.post(stateful_server, acme, agreed, accept="application/json", **more)

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["result"]["isError"]
    assert "call manage_tenant_settings with dry_run=true" in answer.json()["result"]["content"][0]["text"]
    assert [line["outcome"] for line in raw.log_lines(stateful_server, **calls)[before:]] == ["refused"]
    assert events(acme) == events_before


@pytest.mark.parametrize("id_", [7, "seven"])
def test_a_session_that_ends_before_a_call_does_is_an_answer(
    id_: int | str, stateful_server: Process, acme: World, admin: psycopg.Connection
) -> None:
    more = raw.session(stateful_server, acme)
    body = raw.message("tools/call", {"name": "shop_slow", "arguments": {"seconds": 600}}, id=id_)

    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(raw.post, stateful_server, acme, body, accept="application/json", **more)
        until(lambda: sessions(admin, stateful_server.name, ASLEEP))
        httpx2.delete(stateful_server.mcp("acme"), headers=raw.headers(acme.token) | more)
        answer = call.result(LONG)

    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/json")
    assert (answer.json()["id"], answer.json()["error"]["code"]) == (id_, INTERNAL_ERROR)
    assert "Look whether it was done" in answer.json()["error"]["message"]
    until(lambda: not sessions(admin, stateful_server.name, ASLEEP))


LAST_EVENTS = ["1", "0", "x" * 20_000, "ü", "\\", "%00", "acme_1", "[]"]


@pytest.mark.parametrize("last_event", LAST_EVENTS)
def test_who_resumes_gets_a_new_stream(last_event: str, stateful_server: Process, acme: World) -> None:
    sent = raw.headers(acme.token) | raw.session(stateful_server, acme)
    resuming = [*sent.items(), ("Last-Event-ID", last_event.encode())]

    assert opened(stateful_server.mcp("acme"), resuming, EVENTS) == 200


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("process", ["server", "stateful_server"])
@pytest.mark.parametrize("last_event", LAST_EVENTS)
def test_a_resume_is_like_no_resume_everywhere_else(
    last_event: str, process: str, era: Era, request: pytest.FixtureRequest, acme: World, globex: World
) -> None:
    server: Process = request.getfixturevalue(process)
    sent = list(raw.headers(acme.token, era, "tools/list").items())
    if process == "stateful_server":
        # A session of another tenant, and one that there is not.
        theirs = [[*sent, *raw.session(server, globex).items()], [*sent, ("Mcp-Session-Id", "0" * 32)]]
    else:
        theirs = []

    for plain in (sent, *theirs):
        answers = [
            httpx2.get(server.mcp("acme"), headers=[*plain, *more], timeout=raw.SOON)
            for more in ([], [("Last-Event-ID", last_event.encode())])
        ]
        assert answers[0].status_code in (400, 404, 405)
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].text == answers[1].text


def events(world: World) -> int:
    """How many changes the audit has."""
    with tenant_context(world.id):
        return AuditEvent.objects.count()


def opened(url: str, headers: Any, accept: str | None, body: str | None = None) -> int:
    """The status of an answer that may last: 200 for one that is a stream."""
    with httpx2.Client(timeout=raw.SOON) as client:
        del client.headers["accept"]
        sent = [*dict(headers).items(), *([] if accept is None else [("Accept", accept)])]
        with client.stream("POST" if body else "GET", url, content=body, headers=sent) as answer:
            if answer.status_code == 200:
                assert answer.headers["content-type"].startswith(EVENTS)
            return answer.status_code
