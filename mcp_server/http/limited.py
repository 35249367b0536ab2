"""Refuses what is too much, in words for the model, and says with Retry-After when there is room again.

# Note [Not always 429]
A tool call is refused as a tool's result is: HTTP 200, `isError`. Clients give that to their model; of 429 most of them
make words of their own, and those of the older protocol end their session. So their other requests get an error of
JSON-RPC with 200 too. What is left is 429. docs/adr/0042 says what each client was seen to do.

# Note [A refusal is held]
Who calls again as soon as it is refused keeps a process busy with nothing but refusals, and other tenants wait for it
longer than without limits (docs/reference/benchmarks.md). So a refusal waits for a second or two before it is sent:
over one connection there is no more than one of them in a second.
"""

from __future__ import annotations

import asyncio
import math
import random

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
# Seconds, and how many of a process; more are answered at once.
HOLD_SECONDS, MAX_HELD = 1.0, 1000
METHOD_HEADER, SUBSCRIPTION = b"mcp-method", b"subscriptions/listen"


class Limited:
    """`app` behind the limits of who calls, which authentication in front of it has found."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self._gate = gate
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal: Principal = scope["user"].access_token.principal
        is_work = not _lasts(scope)
        refused = await self._refused(principal, scope, is_work=is_work)
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

    async def _refused(self, principal: Principal, scope: Scope, *, is_work: bool) -> Refused | None:
        """Count a message, and begin it where it is work; or why it is not taken. See Note [A refusal is held]."""
        if (refused := await self._gate.refused(principal, scope)) is not None:
            await self._hold(refused)
        elif is_work and (refused := self._gate.enter(principal)) is not None:
            await self._hold(refused)
            refused = self._gate.enter(principal)  # by now there may be a place
        return refused

    async def _hold(self, refused: Refused) -> None:
        if self._held < MAX_HELD:
            self._held += 1
            try:
                # Those that were refused together are not answered together, and do not come back together.
                await asyncio.sleep(min(refused.seconds, HOLD_SECONDS) * random.uniform(1, 2))  # noqa: S311  (no secret)
            finally:
                self._held -= 1


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
