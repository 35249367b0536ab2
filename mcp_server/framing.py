"""How an answer travels: in one piece of JSON, or as an event stream that can carry progress before it.

A plain answer costs less, and most calls have nothing to say before their end. So the stream is for those that ask for
progress (MCP specification, "Progress"); the SDK itself opens one for `subscriptions/listen`.
"""

from __future__ import annotations

from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROGRESS = b'"progressToken"'


class Framing:
    """Chooses for each request by its body, which the chosen transport then reads from the beginning."""

    def __init__(self, *, plain: ASGIApp, streaming: ASGIApp) -> None:
        self.plain = plain
        self.streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not any(name == b"accept" and b"text/event-stream" in value for name, value in scope["headers"]):
            await self.plain(scope, receive, send)
            return
        messages = await _body(receive)
        wants_progress = PROGRESS in b"".join(message.get("body", b"") for message in messages)
        await (self.streaming if wants_progress else self.plain)(scope, _again(messages, receive), send)


async def _body(receive: Receive) -> list[Message]:
    """The messages of the body; of one that the transport will refuse as too large, the first of them."""
    messages = [await receive()]
    size = len(messages[0].get("body", b""))
    while messages[-1].get("more_body", False) and size <= DEFAULT_MAX_REQUEST_BODY_SIZE:
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
    return messages


def _again(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def receive_again() -> Message:
        return next(waiting, None) or await receive()

    return receive_again
