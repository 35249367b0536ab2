"""Whether the tenant boundary stands before every message: tried, in process, before a server serves.

The boundary is an SDK middleware, which the SDK calls provisional. A release that ran it elsewhere or not at all would
run tools for whoever asks.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import anyio
from django.core.exceptions import ImproperlyConfigured
from mcp.server.mcpserver import MCPServer
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp_types import CLIENT_CAPABILITIES_META_KEY, PROTOCOL_VERSION_META_KEY, ErrorData, JSONRPCError, JSONRPCRequest
from mcp_types.methods import SPEC_CLIENT_METHODS
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION
from starlette.types import ASGIApp, Message

from mcp_server.http.context import NOT_AUTHENTICATED
from mcp_server.http.direct import Direct
from mcp_server.http.envelopes import MESSAGE_KEY

CLIENT_METHODS = sorted({*SPEC_CLIENT_METHODS, "unknown/method"})
# No name and no arguments: where the boundary is missing, nothing of ours runs either.
PARAMS_OF_VERSIONS: dict[str, dict[str, Any]] = {
    LATEST_HANDSHAKE_VERSION: {},
    LATEST_MODERN_VERSION: {
        "_meta": {PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION, CLIENT_CAPABILITIES_META_KEY: {}}
    },
}
TIMEOUT = 30.0

Answer = tuple[str, ErrorData | None]


def require_boundary(mcp: MCPServer[Any]) -> None:
    """Raise ImproperlyConfigured where a message from nobody is not refused by the boundary."""
    # A loop and a context of its own: whoever builds a server may be within one, and act for a tenant.
    with ThreadPoolExecutor(1) as pool:
        open_methods = pool.submit(asyncio.run, _open_methods(mcp)).result()
    if open_methods:
        raise ImproperlyConfigured(
            f"refusing to serve: mcp {version('mcp')} does not run the tenant boundary before "
            f"{', '.join(open_methods)}. Install the version in requirements.txt"
        )


async def _open_methods(mcp: MCPServer[Any]) -> list[str]:
    with anyio.fail_after(TIMEOUT):
        answers = [
            answer
            for protocol in PARAMS_OF_VERSIONS
            for road in (_through_streams, _through_http, _directly)
            for answer in await road(mcp, protocol)
        ]
    return sorted({method for method, error in answers if error != NOT_AUTHENTICATED})


def _messages(protocol: str) -> list[JSONRPCRequest]:
    # Without a handshake in it, the newest version has no message that begins one.
    methods = [each for each in CLIENT_METHODS if protocol != LATEST_MODERN_VERSION or each != "initialize"]
    return [
        JSONRPCRequest(jsonrpc="2.0", id=number, method=method, params=PARAMS_OF_VERSIONS[protocol])
        for number, method in enumerate(methods, 1)
    ]


async def _through_streams(mcp: MCPServer[Any], protocol: str) -> list[Answer]:
    """Each method with the error that answers it, as over stdio."""
    served = mcp._lowlevel_server
    answers = []
    async with create_client_server_memory_streams() as ((read, write), server), anyio.create_task_group() as tasks:
        tasks.start_soon(served.run, *server, served.create_initialization_options())
        for message in _messages(protocol):
            await write.send(SessionMessage(message))
            answer = await read.receive()
            said = answer.message if isinstance(answer, SessionMessage) else None
            answers.append((message.method, said.error if isinstance(said, JSONRPCError) else None))
        tasks.cancel_scope.cancel()
    return answers


async def _through_http(mcp: MCPServer[Any], protocol: str) -> list[Answer]:
    """The same in requests that nobody has authenticated."""
    mcp.streamable_http_app(stateless_http=True, json_response=True)
    manager = mcp.session_manager
    async with manager.run():
        return await _all_posted(manager.handle_request, protocol)


async def _directly(mcp: MCPServer[Any], protocol: str) -> list[Answer]:
    """The same on the direct road; what is not plain is answered by the transport, which was tried before."""
    mcp.streamable_http_app(stateless_http=True, json_response=True)
    manager = mcp.session_manager
    async with manager.run():
        return await _all_posted(Direct(manager.app, manager.handle_request), protocol)


async def _all_posted(app: ASGIApp, protocol: str) -> list[Answer]:
    return [(message.method, await _posted(app, message, protocol)) for message in _messages(protocol)]


async def _posted(app: ASGIApp, message: JSONRPCRequest, protocol: str) -> ErrorData | None:
    waiting: list[Message] = [{"type": "http.request", "body": message.model_dump_json().encode()}]
    sent: list[Message] = []

    async def receive() -> Message:
        if not waiting:
            await anyio.sleep_forever()
        return waiting.pop()

    async def send(part: Message) -> None:
        sent.append(part)

    await app(_scope(message.method, protocol) | {MESSAGE_KEY: message}, receive, send)
    answer = json.loads(b"".join(part.get("body", b"") for part in sent) or b"{}")
    return ErrorData.model_validate(answer["error"]) if "error" in answer else None


def _scope(method: str, protocol: str) -> dict[str, Any]:
    headers = {
        "host": "127.0.0.1:1",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": protocol,
        "mcp-method": method,
    }
    return {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
