"""Whether a message is one of JSON-RPC 2.0 at all, in every transport and era alike.

The SDK's older transports answer this differently from the newer one, and take a request whose id is null, a fraction,
true or an object for a notification, which is never answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Self

import anyio
import pydantic_core
from mcp.shared._stream_protocols import WriteStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.http.bodies import BODY_KEY

MESSAGE_SHAPE = (
    'one object: {"jsonrpc": "2.0", "id": a string or a whole number, "method": a string, "params": an object}'
)


# Where the scope of a POST has its message.
MESSAGE_KEY = "mcp_server.message"


class NoMessage(Exception):
    """What was sent is no message of JSON-RPC; `error` answers it."""

    def __init__(self, error: JSONRPCError) -> None:
        super().__init__(error.error.message)
        self.error = error


class Envelopes:
    """Reads the message of a POST. Refuses a body that is none: 400, with the error that JSON-RPC has for it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            try:
                scope = {**scope, MESSAGE_KEY: read(scope[BODY_KEY])}
            except NoMessage as refused:
                await response(refused.error, 400)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class Messages:
    """The lines of stdin that are messages; every other one is answered with its error. A blank line is nothing."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self._answers: WriteStream[SessionMessage] | None = None
        self._can_answer = anyio.Event()

    def answer_on(self, answers: WriteStream[SessionMessage]) -> None:
        """Say where. Until then a line that is no message waits, and those behind it."""
        self._answers = answers
        self._can_answer.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            line = await anext(self._lines)
            if not line.strip():
                return line
            try:
                read(line)
            except NoMessage as refused:
                await self._can_answer.wait()
                assert self._answers is not None
                await self._answers.send(SessionMessage(refused.error))
            else:
                return line


def read(body: bytes | str) -> JSONRPCMessage:
    """The request, the notification or the response in a body (JSON-RPC 2.0, sections 4-6). Raises NoMessage."""
    try:
        message = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError:
        raise _error(PARSE_ERROR, "Parse error: the body is not JSON", None) from None
    if isinstance(message, list):
        raise _error(INVALID_REQUEST, f"Invalid request: send each message by itself, {MESSAGE_SHAPE}", None)
    if isinstance(message, dict) and "method" in message:
        kind: Any = JSONRPCRequest if "id" in message else JSONRPCNotification
        judge = kind.model_validate
    else:
        judge = jsonrpc_message_adapter.validate_python
    try:
        found: JSONRPCMessage = judge(message, by_name=False)
    except ValidationError:
        raise _error(INVALID_REQUEST, f"Invalid request: a message is {MESSAGE_SHAPE}", _id_of(message)) from None
    return found


def response(message: JSONRPCError | JSONRPCResponse, status: int) -> Response:
    """A message as an HTTP response. `id` is there where it is null, too."""
    content = message.model_dump_json(by_alias=True, exclude_unset=True)
    return Response(content, status, media_type="application/json")


def _error(code: int, message: str, id_: str | int | None) -> NoMessage:
    return NoMessage(JSONRPCError(jsonrpc="2.0", id=id_, error=ErrorData(code=code, message=message)))


def _id_of(message: object) -> str | int | None:
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None
