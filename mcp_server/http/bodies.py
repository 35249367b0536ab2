"""The body of a request to the MCP endpoint: read whole, and of a bounded size, before anything is made of it."""

from __future__ import annotations

import asyncio

import anyio
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.http import eras

# No call that fits a schema comes near it; one that fits none is read all the same, in the event loop, before it is
# refused.
MAX_BODY_BYTES = 2**18
# Seconds until we listen whether the client hangs up, where nothing is changed before (see `listen_at_once`): what is
# answered by then needs no task for it.
HEARING_DELAY = 0.5
# Where the scope holds the body.
BODY_KEY = "mcp_server.body"
# Where it has the function that begins to listen.
LISTEN_KEY = "mcp_server.listen"


class TooLarge(Exception):
    """A body has more than MAX_BODY_BYTES."""


class WholeBodies:
    """Reads the body; then hears whether the client hangs up, also where the transport does not listen.

    Where there is no handshake, that cancels the request (MCP specification 2026-07-28, "Transports").
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read(receive)
        except TooLarge:
            await JSONResponse({"error": "too_large"}, 413)(scope, receive, send)
            return
        has_hung_up = asyncio.Event()
        exchange = anyio.CancelScope()

        # Two of us can't receive at once. So the body is read before, and from then on only this task listens.
        async def hear() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            has_hung_up.set()
            # In older versions a hang-up cancels nothing: the client may come back for the answer, and sends
            # notifications/cancelled where it wants none.
            if not eras.has_handshake(scope):
                exchange.cancel()

        hearing: list[asyncio.Task[None]] = []

        def listen() -> None:
            if not hearing:
                hearing.append(asyncio.create_task(hear()))

        soon = asyncio.get_running_loop().call_later(HEARING_DELAY, listen)
        try:
            with exchange:
                await self.app({**scope, BODY_KEY: body, LISTEN_KEY: listen}, _again(body, has_hung_up), send)
        finally:
            soon.cancel()
            for task in hearing:
                task.cancel()


def listen_at_once(request: object) -> None:
    """From now on, hear whether the client of this request hangs up: before something is changed for it."""
    if isinstance(request, HTTPConnection) and (listen := request.scope.get(LISTEN_KEY)) is not None:
        listen()


def _again(body: bytes, has_hung_up: asyncio.Event) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await has_hung_up.wait()
        return {"type": "http.disconnect"}

    return receive


async def _read(receive: Receive) -> bytes:
    """The whole body. Raises TooLarge, and ClientDisconnect where its end does not come."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge
        if not message.get("more_body", False):
            return bytes(body)
