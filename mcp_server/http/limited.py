"""Refuses what is too much, in words for the model, and says with Retry-After when there is room again.

# Note [Not always 429]
A tool call is refused as a tool's result is: HTTP 200, `isError`. Clients give that to their model; of 429 most of them
make words of their own, and those of the older protocol end their session. So their other requests get an error of
JSON-RPC with 200 too. What is left is 429. docs/adr/0042 says what each client was seen to do.
"""

from __future__ import annotations

import math

import pydantic_core
from django.utils import translation
from mcp_types import ErrorData, JSONRPCError, JSONRPCResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.http import context, envelopes, eras
from mcp_server.http.bodies import BODY_KEY
from mcp_server.limits.gate import Gate, Refused
from mcp_server.principals import Principal

# "Limit exceeded" with others too (Ethereum, EIP-1474); of the codes that MCP leaves to implementations.
LIMIT_EXCEEDED = -32005
TOO_MANY_REQUESTS = 429  # RFC 6585, section 4
METHOD_HEADER, SUBSCRIPTION = b"mcp-method", b"subscriptions/listen"


class Limited:
    """`app` behind the limits of who calls, which authentication in front of it has found."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal: Principal = scope["user"].access_token.principal
        is_work = not _lasts(scope)
        refused = await self._gate.refused(principal, scope)
        if refused is None and is_work:
            refused = self._gate.enter(principal)
        if refused is not None:
            with translation.override(context.language_of(Request(scope), principal)):
                answer = _answer(refused, scope)
            await answer(scope, receive, send)
        elif is_work:
            try:
                await self.app(scope, receive, send)
            finally:
                self._gate.leave(principal)
        else:
            await self.app(scope, receive, send)


def _answer(refused: Refused, scope: Scope) -> Response:
    """See Note [Not always 429]. The words are in the language that is active."""
    message = pydantic_core.from_json(scope[BODY_KEY]) if scope["method"] == "POST" else {}
    id_ = message.get("id") if "method" in message else None
    seconds, is_older = math.ceil(refused.seconds), eras.has_handshake(scope)
    if id_ is not None and message["method"] == "tools/call":
        result = {"content": [{"type": "text", "text": refused.words()}], "isError": True}
        complete = result if is_older else {"resultType": "complete", **result}
        answer = envelopes.response(JSONRPCResponse(jsonrpc="2.0", id=id_, result=complete), 200)
    else:
        error = ErrorData(code=LIMIT_EXCEEDED, message=refused.words(), data={"retryAfter": seconds})
        status = 200 if is_older and id_ is not None else TOO_MANY_REQUESTS
        answer = envelopes.response(JSONRPCError(jsonrpc="2.0", id=id_, error=error), status)
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _lasts(scope: Scope) -> bool:
    """Whether it is a stream, which stays open and waits: it is no work that is under way."""
    if scope["method"] != "POST":
        return True
    method = next((value for name, value in scope["headers"] if name == METHOD_HEADER), b"")
    # In older versions nobody compares it with the body.
    return method == SUBSCRIPTION and not eras.has_handshake(scope)
