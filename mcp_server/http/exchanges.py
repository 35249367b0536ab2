"""One request and its answer: a body that must end in time, and a client that may hang up before the answer does."""

from __future__ import annotations

import asyncio
import logging

import anyio
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server import spans
from mcp_server.http import tracing
from mcp_server.http.tracing import Trace
from mcp_server.spans import requests

logger = logging.getLogger(__name__)

# Seconds for a whole body to arrive: the largest that the endpoint takes is then sent at 35 kbit/s.
BODY_TIMEOUT = 60.0
# What the SDK's transports raise when their client has gone.
CLIENT_GONE_ERRORS = (ClientDisconnect, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Exchanges:
    """Around every route. What is logged has the id of the request, and so has its answer (X-Request-ID). A body that
    does not end in time is cut off with 408; a hang-up is one INFO line; whatever else a route raises is
    logged, and 500.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = {**scope, tracing.TRACE_KEY: Trace.of(scope)}
        exchange = Exchange(scope, receive, send)
        with tracing.tracing(exchange.trace):
            if (tracer := spans.tracer()) is None:
                await self._answered(exchange, scope)
                return
            with requests.span(tracer, scope, exchange.trace.request_id) as span:
                await self._answered(exchange, scope)
                requests.answered(span, exchange.status)

    async def _answered(self, exchange: Exchange, scope: Scope) -> None:
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if _is_of_a_hang_up(error) and (exchange.has_ended or exchange.is_complete):
                return
            if exchange.is_begun:
                raise
            logger.exception("a request failed unexpectedly", extra=exchange.facts)
            await JSONResponse({"error": "internal"}, 500)(scope, exchange.receive, exchange.send)


class Exchange:
    """The channels of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.trace = Trace.of(scope)
        self.facts = {"method": scope["method"], "path": scope["path"]}
        self.is_begun = self.is_complete = self.has_ended = False
        # Of the answer; 499 as long as there is none, as proxies write of a client that has gone.
        self.status = 499
        self._scope, self._receive, self._send = scope, receive, send
        self._deadline: float | None = asyncio.get_running_loop().time() + BODY_TIMEOUT

    async def receive(self) -> Message:
        """The next message, of a client that is still there and in time."""
        if self.has_ended:
            return {"type": "http.disconnect"}
        try:
            message = await (self._receive() if self._deadline is None else self._in_time(self._deadline))
        except TimeoutError:
            await self._cut_off()
            return {"type": "http.disconnect"}
        if message["type"] == "http.disconnect":
            if not (self.is_complete or self.has_ended):
                logger.info("the client hung up", extra=self.facts)
            self.has_ended = True
        elif not message.get("more_body", False):
            self._deadline = None
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer; nothing after the end of the exchange."""
        if self.has_ended:
            return
        if message["type"] == "http.response.start":
            named = (tracing.REQUEST_ID_HEADER, self.trace.request_id.encode())
            message = {**message, "headers": [*message.get("headers", ()), named]}
            self.status = message["status"]
        self.is_begun = True
        # Before it is sent: whoever waits for the client learns of the end of the answer in the same moment.
        self.is_complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def _in_time(self, deadline: float) -> Message:
        async with asyncio.timeout_at(deadline):
            return await self._receive()

    async def _cut_off(self) -> None:
        logger.info("a body that did not end was cut off", extra=self.facts)
        if not self.is_begun:
            await JSONResponse({"error": "timeout"}, 408, headers={"Connection": "close"})(
                self._scope, self._receive, self.send
            )
        self.has_ended = True


def _is_of_a_hang_up(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return all(map(_is_of_a_hang_up, error.exceptions))
    return isinstance(error, CLIENT_GONE_ERRORS)
