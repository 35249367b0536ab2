"""A request that never ends is cut off; a connection in use is not."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from mcp_server import __main__
from mcp_server.http import connections, serve
from mcp_server.http.bodies import MAX_BODY_BYTES
from mcp_server.http.connections import MAX_HEAD_BYTES
from tests.support import raw
from tests.support.processes import Process, free_port
from tests.support.processes import serving as running
from tests.support.world import World

pytestmark = pytest.mark.slow

PING = json.dumps(raw.message("tools/call", {"name": "add_numbers", "arguments": {"a": 1, "b": 2}})).encode()


@pytest.fixture(scope="module")
def hasty(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that waits half a second."""
    with running(tmp_path_factory.mktemp("hasty") / "log", app="tests.shop.hasty:app") as process:
        yield process


@pytest.fixture(scope="module")
def hasty_sessions(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The same with sessions and the older pair."""
    log = tmp_path_factory.mktemp("hasty") / "log"
    with running(log, app="tests.shop.hasty:app", MCP_SESSIONS="stateful") as process:
        yield process


def whole(world: World, body: bytes = PING, **more: str) -> bytes:
    return raw.head(world, **{"Content-Length": str(len(body))} | more) + b"\r\n" + body


def feeding(opened: socket.socket, first: bytes, again: bytes) -> bytes:
    """What a server says to one who sends something again and again, until it closes the connection."""
    opened.sendall(first)
    is_over = threading.Event()

    def feed() -> None:
        while not is_over.wait(0.05):
            try:
                opened.sendall(again)
            except OSError:
                return

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        return raw.until_closed(opened)
    finally:
        is_over.set()
        feeder.join()


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"POST /mcp/acme/ HTTP/1.1\r\n", b"X-More: 1\r\n"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Endless: ", b"x"),
        (b"GET /", b"x"),
        (b"P", b""),
    ],
)
def test_a_head_that_does_not_end_is_cut_off(first: bytes, again: bytes, hasty: Process) -> None:
    with raw.connection(hasty) as opened:
        assert feeding(opened, first, again).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("again", [b"", b"\r\n"])
def test_a_connection_on_which_no_request_begins_is_closed(again: bytes, hasty: Process) -> None:
    with raw.connection(hasty) as opened:
        assert feeding(opened, again, again) == b""


def test_a_second_request_must_end_too(hasty: Process, acme: World) -> None:
    with raw.connection(hasty) as opened:
        said = feeding(opened, whole(acme) + b"POST /mcp/acme/ HTTP/1.1\r\n", b"X-More: 1\r\n")

    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in said


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * MAX_HEAD_BYTES,
        b"GET /" + b"x" * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: 1234567890\r\n" * (MAX_HEAD_BYTES // 15) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
    ],
)
def test_a_head_that_is_too_large_is_refused(head: bytes, server: Process) -> None:
    with raw.connection(server) as opened:
        opened.sendall(head)
        said = raw.until_closed(opened)

    assert said.startswith(b"HTTP/1.1 431 ")


def test_a_large_head_is_taken(server: Process, acme: World) -> None:
    with raw.connection(server) as opened:
        opened.sendall(whole(acme, **{"X-Long": "x" * (MAX_HEAD_BYTES - 4096), "Connection": "close"}))

        assert raw.until_closed(opened).startswith(b"HTTP/1.1 200 ")


def test_trailers_end_too(server: Process, acme: World) -> None:
    head = raw.head(acme, **{"Transfer-Encoding": "chunked"}) + b"\r\n"
    chunk = b"%x\r\n%s\r\n0\r\n" % (len(PING), PING)

    with raw.connection(server) as opened:
        opened.sendall(head + chunk + b"X-Many: 1234567890\r\n" * (MAX_HEAD_BYTES // 15))
        said = raw.until_closed(opened)

    assert said.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("path", ["/mcp/acme/", "/mcp/", "/admin/login/", "/t/acme/api/info"])
@pytest.mark.parametrize(
    ("more", "first", "again"),
    [
        ({"Content-Length": "1000"}, b"{", b" "),
        ({"Content-Length": "1000"}, b"", b""),
        ({"Transfer-Encoding": "chunked"}, b"1\r\n{\r\n", b"1\r\n \r\n"),
        ({"Transfer-Encoding": "chunked"}, b"2\r\n{}\r\n0\r\n", b"X: 1\r\n"),
    ],
)
def test_a_body_that_does_not_end_is_cut_off(
    more: dict[str, str], first: bytes, again: bytes, path: str, hasty: Process, acme: World
) -> None:
    with raw.connection(hasty) as opened:
        said = feeding(opened, raw.head(acme, path, **more) + b"\r\n" + first, again)

    # Where the token does not fit, nobody waits for the body.
    assert said.startswith(b"HTTP/1.1 401 " if path == "/mcp/" else b"HTTP/1.1 408 ")


def test_a_body_that_does_not_end_is_one_line_in_the_log(hasty: Process, acme: World) -> None:
    before = len(raw.log_lines(hasty, message="a body that did not end was cut off"))

    with raw.connection(hasty) as opened:
        feeding(opened, raw.head(acme, **{"Content-Length": "1000"}) + b"\r\n{", b" ")

    after = raw.log_lines(hasty, message="a body that did not end was cut off")
    assert len(after) == before + 1
    assert (after[-1]["level"], after[-1]["path"]) == ("INFO", "/mcp/acme/")
    assert not raw.log_lines(hasty, level="ERROR")


@pytest.mark.parametrize("path", ["/mcp/acme/", "/mcp/acme/messages/?session_id=" + "0" * 32])
def test_sessions_cut_it_off_too(path: str, hasty_sessions: Process, acme: World) -> None:
    with raw.connection(hasty_sessions) as opened:
        said = feeding(opened, raw.head(acme, path, **{"Content-Length": "1000"}) + b"\r\n{", b" ")

    assert said.startswith(b"HTTP/1.1 408 ")


def test_what_takes_long_to_answer_is_not_cut_off(hasty: Process, acme: World) -> None:
    slow = json.dumps(raw.message("tools/call", {"name": "shop_slow", "arguments": {"seconds": 1.5}})).encode()

    with raw.connection(hasty) as opened:
        # Line ends behind a request are nothing, and no second request that has to end.
        said = feeding(opened, whole(acme, slow, Connection="close"), b"\r\n")

    assert said.startswith(b"HTTP/1.1 200 ")


def test_a_stream_is_not_cut_off(hasty: Process, acme: World) -> None:
    asked = {"notifications": {"resourceSubscriptions": ["product://A-1"]}}
    body = json.dumps(raw.message("subscriptions/listen", asked, "2026-07-28")).encode()
    own = raw.headers(acme.token, "2026-07-28", "subscriptions/listen")

    with raw.connection(hasty) as opened:
        opened.sendall(raw.head(acme, **own | {"Content-Length": str(len(body))}) + b"\r\n" + body)
        assert b"acknowledged" in opened.recv(65536) + opened.recv(65536)
        opened.settimeout(2)
        with pytest.raises(TimeoutError):
            opened.recv(1)


def test_a_connection_serves_one_request_after_the_other(hasty: Process, acme: World) -> None:
    with raw.connection(hasty) as opened:
        for _ in range(3):
            opened.sendall(whole(acme))
            assert raw.answer(opened)[0] == 200
            # Longer than the head of a request may take.
            opened.settimeout(0.8)
            with pytest.raises(TimeoutError):
                opened.recv(1)
            opened.settimeout(raw.SOON)


def test_who_is_refused_early_can_call_again_on_the_same_connection(hasty: Process, acme: World) -> None:
    body = b" " * 50_000

    with raw.connection(hasty) as opened:
        head = raw.head(acme, Authorization="Bearer tmcp_invented", **{"Content-Length": str(len(body))})
        opened.sendall(head + b"\r\n" + body[:10])
        assert raw.answer(opened)[0] == 401
        opened.sendall(body[10:] + whole(acme))
        assert raw.answer(opened)[0] == 200


def test_who_is_refused_early_must_end_too(hasty: Process, acme: World) -> None:
    with raw.connection(hasty) as opened:
        head = raw.head(acme, Authorization="Bearer tmcp_invented", **{"Content-Length": "1000"})
        said = feeding(opened, head + b"\r\n{", b" ")

    assert said.startswith(b"HTTP/1.1 401 ")


def test_a_body_that_is_too_large_is_refused_before_its_end(server: Process, acme: World) -> None:
    with raw.connection(server) as opened:
        opened.sendall(raw.head(acme, **{"Content-Length": "1000000000"}) + b"\r\n" + b" " * (MAX_BODY_BYTES + 1))

        assert opened.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_an_operator_is_told_of_the_same_options() -> None:
    page = Path("docs/how-to/deploy.md").read_text(encoding="utf-8")
    [line] = re.findall(r"^uvicorn core\.asgi:application .*$", page, re.MULTILINE)

    assert f"--http {connections.UVICORN_OPTIONS['http']}" in line
    assert f"--timeout-keep-alive {connections.UVICORN_OPTIONS['timeout_keep_alive']}" in line


@pytest.mark.django_db
def test_python_m_keeps_connections_for_75_seconds(monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setenv("PORT", str(free_port()))
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: given.update(options))

    __main__.main()

    assert (given["timeout_keep_alive"], given["http"]) == (75, "mcp_server.http.connections:Protocol")


def test_make_run_keeps_connections_for_75_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    configs = []

    def run(self: serve.Server) -> None:
        configs.append(self.config)
        self.started = True

    monkeypatch.setattr(serve.Server, "run", run)

    serve.serve("127.0.0.1", free_port(), lambda: None)

    assert (configs[0].timeout_keep_alive, configs[0].http) == (75, "mcp_server.http.connections:Protocol")
