"""By a log one finds a request again: its id, its client, and who was refused; never a token."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from core.logs import JSONFormatter
from mcp_server.http.tracing import TRACE_KEY, Trace, tracing
from mcp_server.logs import OfRequest
from tests.support.processes import Process, serving
from tests.support.world import World

CALL: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "get_product", "arguments": {"sku": "A-1"}},
}
OWN_ID = re.compile(r"[0-9a-f]{16}")
PROXIED = {"X-Forwarded-For": "203.0.113.7"}


@pytest.fixture(scope="module")
def logging_server(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(tmp_path_factory.mktemp("tracing") / "log") as process:
        yield process


def lines(log: Path, **wanted: Any) -> list[dict[str, Any]]:
    """The records of a log that have these fields."""
    records = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [each for each in records if wanted.items() <= each.items()]


def post(server: Process, slug: str, token: str, **headers: str) -> httpx2.Response:
    shown = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.post(server.mcp(slug), json=CALL, headers=shown | headers)


@pytest.mark.slow
def test_the_record_of_a_call_has_the_id_and_the_address_that_its_request_came_with(
    acme: World, logging_server: Process
) -> None:
    answer = post(logging_server, "acme", acme.token, **{"X-Request-ID": "from-the-proxy.1", **PROXIED})

    [record] = lines(logging_server.log, tool="get_product", request_id="from-the-proxy.1")
    assert answer.headers["x-request-id"] == "from-the-proxy.1"
    assert (record["address"], record["outcome"]) == ("203.0.113.7", "ok")


@pytest.mark.slow
def test_a_request_without_an_id_gets_one_that_no_other_has(acme: World, logging_server: Process) -> None:
    ids = [post(logging_server, "acme", acme.token).headers["x-request-id"] for _ in range(2)]

    assert all(OWN_ID.fullmatch(each) for each in ids)
    assert len(set(ids)) == 2
    for each in ids:
        [record] = lines(logging_server.log, request_id=each)
        assert (record["tool"], record["address"]) == ("get_product", "127.0.0.1")


@pytest.mark.slow
@pytest.mark.parametrize("given", ['"}, "level": "ERROR', "a b", "x" * 65, "", "é"])
def test_an_id_that_is_none_is_not_kept(given: str, acme: World, logging_server: Process) -> None:
    url = logging_server.mcp("acme")
    headers = [(b"x-request-id", given.encode()), (b"authorization", f"Bearer {acme.token}".encode())]

    answer = httpx2.post(url, json=CALL, headers=headers)

    assert OWN_ID.fullmatch(answer.headers["x-request-id"])


@pytest.mark.slow
def test_each_refused_caller_is_one_line_without_the_token(acme: World, globex: World, logging_server: Process) -> None:
    secrets = [globex.token, "tmcp_made-up-by-somebody"]
    for number, (slug, token) in enumerate(
        [("acme", globex.token), ("nowhere", secrets[1]), ("acme", ""), ("", secrets[1])]
    ):
        assert post(logging_server, slug, token, **{"X-Request-ID": f"refused-{number}", **PROXIED}).status_code == 401
    views = httpx2.get(
        f"{logging_server.url}/t/acme/api/info",
        headers={"Authorization": f"Bearer {globex.token}", "X-Request-ID": "refused-4"},
    )

    found = [lines(logging_server.log, request_id=f"refused-{number}") for number in range(5)]
    facts = [
        [
            (each["tenant"], each["status"], each["reason"])
            for each in records
            if each["message"] == "a caller was refused"
        ]
        for records in found
    ]
    assert views.status_code == 401
    assert facts == [
        [("acme", 401, "invalid_token")],
        [("nowhere", 401, "invalid_token")],
        [("acme", 401, "unauthorized")],
        [("platform", 401, "invalid_token")],
        [("acme", 401, "invalid_token")],
    ]
    assert {each["address"] for records in found[:4] for each in records} == {"203.0.113.7"}
    written = logging_server.log.read_text()
    assert not any(secret in written for secret in secrets)


@pytest.mark.slow
def test_a_long_name_does_not_fill_the_log(logging_server: Process) -> None:
    post(logging_server, "x" * 5_000, "", **{"X-Request-ID": "long-name"})

    [record] = [each for each in lines(logging_server.log, request_id="long-name") if "reason" in each]
    assert record["tenant"] == "x" * 100


@pytest.mark.slow
def test_each_message_of_a_session_is_logged_with_its_own_request(acme: World, stateful_server: Process) -> None:
    def send(method: str, request_id: str, session: str = "", **params: Any) -> httpx2.Response:
        headers = {
            "Authorization": f"Bearer {acme.token}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-11-25",
            "X-Request-ID": request_id,
            **({"Mcp-Session-Id": session} if session else {}),
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return httpx2.post(stateful_server.mcp("acme"), json=message, headers=headers, timeout=60)

    client: dict[str, Any] = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    session = send("initialize", "session-1", **client).headers["mcp-session-id"]
    for number in (2, 3):
        send("tools/call", f"session-{number}", session, **CALL["params"])

    for number in (2, 3):
        assert len(lines(stateful_server.log, tool="get_product", request_id=f"session-{number}")) == 1


def test_a_record_outside_of_a_request_has_neither() -> None:
    record = logging.makeLogRecord({"msg": "started"})

    assert OfRequest().filter(record)
    assert not {"request_id", "address"} & json.loads(JSONFormatter().format(record)).keys()


def test_whoever_asks_below_gets_the_same_id() -> None:
    scope = {"type": "http", "headers": [], "client": ("203.0.113.7", 1)}
    trace = Trace.of(scope)

    assert Trace.of({**scope, TRACE_KEY: trace}) is trace
    assert Trace.of(scope) != trace


def test_a_request_over_a_socket_without_addresses_has_its_id_alone() -> None:
    trace = Trace.of({"type": "http", "headers": [], "client": None})
    record = logging.makeLogRecord({"msg": "called"})

    with tracing(trace):
        OfRequest().filter(record)

    entry = json.loads(JSONFormatter().format(record))
    assert entry["request_id"] == trace.request_id
    assert "address" not in entry
