"""How an answer travels: in one piece of JSON, or as an event stream that can carry progress before it.

A plain answer costs less, and most calls have nothing to say before their end. So the stream is for those that ask for
progress or messages (MCP specification, "Progress" and "Logging"); the SDK itself opens one for `subscriptions/listen`.
Sessions are served as streams, on which the server may ask the client something.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from mcp_types import INTERNAL_ERROR, INVALID_REQUEST, ErrorData, JSONRPCError
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.http import envelopes, eras, requests
from mcp_server.http.bodies import BODY_KEY

# What asks for a stream: progress, in every version of the protocol, and messages, in 2026-07-28.
STREAM_WISHES = (b'"progressToken"', b'"io.modelcontextprotocol/logLevel"')
# Where the scope says that the client can't be asked anything in the middle of this request.
ONE_PIECE_KEY = "mcp_server.one_piece"
JSON, STREAM = "application/json", "text/event-stream"
# The headers of a client that a transport is not shown.
REWRITTEN = (b"accept", b"last-event-id")


@dataclass(frozen=True, slots=True)
class Accepted:
    """Which of the two framings a client takes (RFC 9110, section 12.5.1), and whether it names the stream itself."""

    json: bool
    stream: bool
    names_stream: bool

    @classmethod
    def of(cls, values: Iterable[str]) -> Self:
        """What the values of the Accept headers say. No header, or an empty one, says that anything will do."""
        ranges = [each.strip().lower() for value in values for each in value.split(",") if each.strip()]
        weights = dict(map(_weighted, ranges)) or {"*/*": 1.0}
        return cls(
            json=_weight(weights, JSON) > 0,
            stream=_weight(weights, STREAM) > 0,
            names_stream=weights.get(STREAM, weights.get("text/*", 0.0)) > 0,
        )


class Framing:
    """Chooses the transport of each request by what its client takes, and by what it asks for.

    `plain` answers with one JSON object, `streaming` with an event stream (MCP specification, "Streamable HTTP"). A
    client that takes neither is refused with 406.
    """

    def __init__(self, *, plain: ASGIApp, streaming: ASGIApp, has_sessions: bool) -> None:
        self.plain = plain
        self.streaming = streaming
        self.in_one_piece = InOnePiece(streaming)
        self.has_sessions = has_sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = _accepted(tuple(requests.values(scope, b"accept")))
        app = self._choose(scope, accepted)
        if app is None:
            await _not_acceptable(JSON if scope["method"] == "POST" else STREAM)(scope, receive, send)
            return
        # The SDK reads no weights, and refuses who takes one framing of two. So it is shown what was chosen here. No
        # event is kept to be sent again, and it answers whoever asks for one with nothing: that is a new stream.
        headers = [each for each in scope["headers"] if each[0] not in REWRITTEN]
        shown = JSON if app is self.plain and not accepted.stream else f"{JSON}, {STREAM}"
        await app({**scope, "headers": [*headers, (b"accept", shown.encode())]}, receive, send)

    def _choose(self, scope: Scope, accepted: Accepted) -> ASGIApp | None:
        if scope["method"] == "DELETE":
            return self.streaming
        if scope["method"] == "GET":
            return self.streaming if accepted.stream else None
        if not (accepted.json or accepted.stream):
            return None
        if self.has_sessions:
            # In a session the server may ask the client something in the middle of a call, which takes a stream.
            if accepted.stream:
                return self.streaming
            return self.in_one_piece if eras.has_handshake(scope) else self.plain
        return self.streaming if not accepted.json or (accepted.names_stream and _wishes(scope)) else self.plain


def _wishes(scope: Scope) -> bool:
    """Whether there may be something to tell before the answer. It stands in the body, and no header says so.

    The bytes are searched and not parsed, since a false hit costs a stream that carries one message, and nothing else.
    To let the SDK choose by itself costs every call of 2026-07-28 more (ADR 0006).
    """
    body: bytes = scope[BODY_KEY]
    return any(wish in body for wish in STREAM_WISHES)


class InOnePiece:
    """A transport of streams for a client that takes none: the last message of each stream is its answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        piece = _Piece(scope, receive, send)
        await self.app({**scope, ONE_PIECE_KEY: True}, receive, piece.send)


class _Piece:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._headers: MutableHeaders | None = None
        self._answer, self._rest = b"", b""
        self._is_answered = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            if headers.get("content-type", "").startswith(STREAM):
                self._headers = headers
                return
        if self._headers is None:
            await self._send(message)
            return
        # A part of the body may end within a line; an event's data is one line, as the SDK writes it (HTML Standard,
        # section 9.2, "Server-sent events").
        *lines, self._rest = (self._rest + message.get("body", b"")).split(b"\n")
        for line in lines:
            await self._hear(line)
        if not message.get("more_body", False):
            await self._finish(self._headers)

    async def _hear(self, line: bytes) -> None:
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or not data:
            return
        message = json.loads(data)
        if "method" not in message:
            self._answer = data
        elif "id" in message and not self._is_answered:
            # A question to the client: without a stream it can't be asked, and the call would wait for ever.
            self._is_answered = True
            await _not_acceptable(STREAM)(self._scope, self._receive, self._send)

    async def _finish(self, headers: MutableHeaders) -> None:
        if self._is_answered:
            return
        if not self._answer:
            await _unfinished(self._scope)(self._scope, self._receive, self._send)
            return
        headers["content-type"] = JSON
        headers["content-length"] = str(len(self._answer))
        await self._send({"type": "http.response.start", "status": 200, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": self._answer})


@functools.lru_cache(maxsize=32)  # most clients send one of a few
def _accepted(values: tuple[str, ...]) -> Accepted:
    return Accepted.of(values)


def _not_acceptable(media_type: str) -> Response:
    error = ErrorData(code=INVALID_REQUEST, message=f"Not acceptable: the client must accept {media_type}")
    return envelopes.response(JSONRPCError(jsonrpc="2.0", id=None, error=error), 406)


def _unfinished(scope: Scope) -> Response:
    message = "The session ended before the call did. Look whether it was done before you call again."
    error = ErrorData(code=INTERNAL_ERROR, message=message)
    # The stream was opened for a request, so the body has an id.
    return envelopes.response(JSONRPCError(jsonrpc="2.0", id=json.loads(scope[BODY_KEY])["id"], error=error), 500)


def _weighted(media_range: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in media_range.split(";"))
    weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        return name, float(weight)
    except ValueError:
        return name, 1.0


def _weight(weights: dict[str, float], media_type: str) -> float:
    """The weight of the most specific range that the type is in."""
    ranges = [media_type, media_type.partition("/")[0] + "/*", "*/*"]
    return next((weights[each] for each in ranges if each in weights), 0.0)
