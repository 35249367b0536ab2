"""HTTP as it is on the wire, for what no client library would send."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import httpx2

from tests.support.processes import Era, Process
from tests.support.world import World

BOTH = "application/json, text/event-stream"
# Long enough for a loaded machine; nothing that is expected waits for its end.
SOON = 120.0
LEGACY, MODERN = "2025-11-25", "2026-07-28"
INITIALIZE = {
    "protocolVersion": LEGACY,
    "capabilities": {},
    "clientInfo": {"name": "tests", "version": "1"},
}
META = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}


def version(era: Era) -> str:
    """The protocol version of an era."""
    return LEGACY if era == "legacy" else MODERN


def headers(token: str, era: Era = "legacy", method: str = "", name: str | None = None) -> dict[str, str]:
    """Those of a request; Accept is not one of them."""
    found = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    if era != "legacy":
        found |= {"Mcp-Method": method} | ({} if name is None else {"Mcp-Name": name})
    return found | {"MCP-Protocol-Version": version(era)}


def message(method: str, params: dict[str, Any] | None = None, era: Era = "legacy", /, **facts: Any) -> dict[str, Any]:
    """A request; `facts` stand in its place of members."""
    given = (params or {}) | (META if era != "legacy" else {})
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": given} | facts


def session(server: Process, world: World) -> dict[str, str]:
    """The header of a new session."""
    answer = post(server, world, message("initialize", INITIALIZE))
    return {"Mcp-Session-Id": answer.headers["mcp-session-id"]}


def post(
    server: Process,
    world: World,
    body: Any,
    era: Era = "legacy",
    *,
    accept: str | None = BOTH,
    token: str = "",
    **more: str,
) -> httpx2.Response:
    """The answer to a POST to a tenant's endpoint; without an Accept header where `accept` is None."""
    method = body.get("method", "") if isinstance(body, dict) else ""
    params = body.get("params") if isinstance(body, dict) else None
    named = params if isinstance(params, dict) else {}
    name = named.get("name", named.get("uri"))
    sent = headers(token or world.token, era, str(method), name if isinstance(name, str) else None) | more
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with httpx2.Client(timeout=SOON) as client:
        del client.headers["accept"]
        if accept is not None:
            sent["Accept"] = accept
        return client.post(server.mcp(world.subdomain), content=content, headers=sent)


def result(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON-RPC message in an answer, in either framing."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        events = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        return dict(events[-1])
    return dict(answer.json())


@contextmanager
def connection(server: Process) -> Iterator[socket.socket]:
    """A TCP connection to a server."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=SOON) as opened:
        yield opened


def head(world: World, path: str = "", method: str = "POST", **more: str) -> bytes:
    """The head of a request to a tenant's endpoint, without the empty line that ends it."""
    sent = {"Host": "127.0.0.1", "Accept": BOTH} | headers(world.token) | more
    lines = [f"{method} {path or f'/mcp/{world.subdomain}/'} HTTP/1.1", *(f"{k}: {v}" for k, v in sent.items())]
    return "\r\n".join(lines).encode() + b"\r\n"


def until_closed(opened: socket.socket) -> bytes:
    """What arrives until the server closes the connection."""
    received = b""
    try:
        while chunk := opened.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def answer(opened: socket.socket) -> tuple[int, bytes]:
    """The status and the body of the next answer."""
    found = HTTPResponse(opened)
    found.begin()
    return found.status, found.read()


def log_lines(server: Process, **facts: Any) -> list[dict[str, Any]]:
    """The log records with these facts."""
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if facts.items() <= line.items()]


def wait_for_log(server: Process, count: int, **facts: Any) -> list[dict[str, Any]]:
    """The log records with these facts, once there are so many."""
    deadline = time.monotonic() + SOON
    while len(found := log_lines(server, **facts)) < count:
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)
    return found
