"""A client that hangs up is one INFO line, wherever it was, and leaves nothing behind."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.support import raw
from tests.support.processes import Era, Process
from tests.support.raw import message
from tests.support.world import World

HUNG_UP = {"message": "the client hung up", "level": "INFO"}
SLOW = {"name": "shop_slow", "arguments": {"seconds": 1}}
OPEN = "SELECT state FROM pg_stat_activity WHERE application_name = %s AND state LIKE 'idle in transaction%%'"

Sends = Callable[[Process, World], tuple[bytes, bytes]]


def request(world: World, body: dict[str, Any], era: Era = "legacy", path: str = "", **more: str) -> bytes:
    content = json.dumps(body).encode()
    name = body["params"].get("name")
    sent = raw.headers(world.token, era, body["method"], name) | {"Content-Length": str(len(content))} | more
    return raw.head(world, path, **sent) + b"\r\n" + content


def in_its_body(server: Process, world: World) -> tuple[bytes, bytes]:
    return raw.head(world, **{"Content-Length": "1000"}) + b"\r\n{", b""


def in_a_chunked_body(server: Process, world: World) -> tuple[bytes, bytes]:
    return raw.head(world, **{"Transfer-Encoding": "chunked"}) + b"\r\n1\r\n{", b""


def in_a_call(server: Process, world: World) -> tuple[bytes, bytes]:
    return request(world, message("tools/call", SLOW)), b""


def in_a_call_of_the_newest_version(server: Process, world: World) -> tuple[bytes, bytes]:
    return request(world, message("tools/call", SLOW, "2026-07-28"), "2026-07-28"), b""


def in_a_call_that_wants_progress(server: Process, world: World) -> tuple[bytes, bytes]:
    return request(world, message("tools/call", SLOW | {"_meta": {"progressToken": 1}})), b"200 OK"


def in_a_call_of_a_session(server: Process, world: World) -> tuple[bytes, bytes]:
    return request(world, message("tools/call", SLOW), **raw.session(server, world)), b"200 OK"


def in_the_stream_of_a_session(server: Process, world: World) -> tuple[bytes, bytes]:
    return raw.head(world, method="GET", **raw.session(server, world)) + b"\r\n", b"200 OK"


def in_the_older_stream(server: Process, world: World) -> tuple[bytes, bytes]:
    return raw.head(world, "/mcp/acme/sse", "GET") + b"\r\n", b"event: endpoint"


def in_what_it_listens_to(server: Process, world: World) -> tuple[bytes, bytes]:
    asked = {"notifications": {"resourceSubscriptions": ["product://A-1"]}}
    return request(world, message("subscriptions/listen", asked, "2026-07-28"), "2026-07-28"), b"acknowledged"


def until(opened: socket.socket, seen: bytes) -> None:
    received = b""
    while seen not in received:
        received += opened.recv(65536)


def calls(server: Process) -> int:
    return len(raw.log_lines(server, message="tool call"))


@pytest.mark.parametrize(
    ("sends", "process"),
    [
        (in_its_body, "server"),
        (in_its_body, "stateful_server"),
        (in_a_chunked_body, "server"),
        (in_a_call, "server"),
        (in_a_call_of_the_newest_version, "server"),
        (in_a_call_of_the_newest_version, "stateful_server"),
        (in_a_call_that_wants_progress, "server"),
        (in_a_call_of_a_session, "stateful_server"),
        (in_the_stream_of_a_session, "stateful_server"),
        (in_the_older_stream, "stateful_server"),
        (in_what_it_listens_to, "server"),
        (in_what_it_listens_to, "stateful_server"),
    ],
)
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_hangs_up_is_one_line(
    reset: bool, sends: Sends, process: str, request: pytest.FixtureRequest, acme: World, admin: psycopg.Connection
) -> None:
    server: Process = request.getfixturevalue(process)
    sent, seen = sends(server, acme)
    begins_a_call = b"tools/call" in sent
    start, before, called = len(raw.log_lines(server)), len(raw.log_lines(server, **HUNG_UP)), calls(server)
    opened = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=raw.SOON)
    opened.sendall(sent)
    if seen:
        until(opened, seen)
    elif begins_a_call:
        until_it_works(admin, server)

    if reset:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    opened.close()

    [line] = raw.wait_for_log(server, before + 1, **HUNG_UP)[before:]
    assert line["path"].startswith("/mcp/acme/")
    if begins_a_call:
        wait_until(lambda: calls(server) == called + 1)
    # What comes after it is served, and by then everything of it is written.
    assert raw.post(server, acme, message("tools/list", {}, "2026-07-28"), "2026-07-28").status_code == 200
    assert len(raw.log_lines(server, **HUNG_UP)) == before + 1
    assert {line["level"] for line in raw.log_lines(server)[start:]} == {"INFO"}
    assert admin.execute(OPEN, [server.name]).fetchall() == []


def until_it_works(admin: psycopg.Connection, server: Process) -> None:
    working = "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND query LIKE '%%pg_sleep%%'"
    wait_until(lambda: bool(admin.execute(working + " AND state = 'active'", [server.name]).fetchall()))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + raw.SOON
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("process", ["server", "stateful_server"])
def test_who_waits_for_the_answer_has_not_hung_up(process: str, request: pytest.FixtureRequest, acme: World) -> None:
    server: Process = request.getfixturevalue(process)
    before = len(raw.log_lines(server, **HUNG_UP))

    for era in ("legacy", "2026-07-28"):
        more = raw.session(server, acme) if (process, era) == ("stateful_server", "legacy") else {}
        for accept in (raw.BOTH, "application/json"):
            answer = raw.post(server, acme, message("tools/call", SLOW, era), era, accept=accept, **more)
            assert answer.status_code == 200

    assert len(raw.log_lines(server, **HUNG_UP)) == before


def test_a_message_for_a_stream_that_is_gone_is_no_error(stateful_server: Process, acme: World) -> None:
    with raw.connection(stateful_server) as opened:
        opened.sendall(raw.head(acme, "/mcp/acme/sse", "GET") + b"\r\n")
        received = b""
        while b"session_id=" not in received or not received.endswith(b"\r\n"):
            received += opened.recv(65536)
    path = received.partition(b"data: ")[2].partition(b"\r\n")[0].decode()
    start = len(raw.log_lines(stateful_server))

    with raw.connection(stateful_server) as opened:
        opened.sendall(request(acme, message("ping"), path=path, Connection="close"))
        said = raw.until_closed(opened)

    assert said.startswith((b"HTTP/1.1 202 ", b"HTTP/1.1 404 "))
    assert not [line for line in raw.log_lines(stateful_server)[start:] if line["level"] == "ERROR"]
