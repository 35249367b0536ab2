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


class Envelopes:
    """Refuses the body of a POST that is no JSON-RPC message: 400, with the error that JSON-RPC has for it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = refused(scope[BODY_KEY]) if scope["method"] == "POST" else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await response(refusal, 400)(scope, receive, send)


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
            error = refused(line) if line.strip() else None
            if error is None:
                return line
            await self._can_answer.wait()
            assert self._answers is not None
            await self._answers.send(SessionMessage(error))


def refused(body: bytes | str) -> JSONRPCError | None:
    """The error that answers a body; None for a request, a notification or a response (JSON-RPC 2.0, sections 4-6)."""
    try:
        message = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError:
        return _error(PARSE_ERROR, "Parse error: the body is not JSON", None)
    if isinstance(message, list):
        return _error(INVALID_REQUEST, f"Invalid request: send each message by itself, {MESSAGE_SHAPE}", None)
    if isinstance(message, dict) and "method" in message:
        kind: Any = JSONRPCRequest if "id" in message else JSONRPCNotification
        judge = kind.model_validate
    else:
        judge = jsonrpc_message_adapter.validate_python
    try:
        judge(message, by_name=False)
    except ValidationError:
        return _error(INVALID_REQUEST, f"Invalid request: a message is {MESSAGE_SHAPE}", _id_of(message))
    return None


def response(message: JSONRPCError | JSONRPCResponse, status: int) -> Response:
    """A message as an HTTP response. `id` is there where it is null, too."""
    content = message.model_dump_json(by_alias=True, exclude_unset=True)
    return Response(content, status, media_type="application/json")


def _error(code: int, message: str, id_: str | int | None) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=id_, error=ErrorData(code=code, message=message))


def _id_of(message: object) -> str | int | None:
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None
