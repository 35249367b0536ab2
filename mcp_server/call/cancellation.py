"""Whether the client has cancelled the request that is handled, and from when on it can't.

The SDK never answers a request that its client has cancelled, or says "Request cancelled" of it. A change that is
committed must be answered: so before it commits, its request is taken from those that can be cancelled. That list is
the SDK's own (`mcp.shared.jsonrpc_dispatcher`); a test says when it is no longer there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mcp.server.context import ServerRequestContext


class Cancellation:
    """What can be known of one request's cancellation, by way of what the SDK answers it with."""

    def __init__(self, dispatch: Any = None) -> None:
        # On streams of the newer protocol it is wrapped once.
        self._dispatch = getattr(dispatch, "_inner", dispatch)

    @property
    def is_cancelled_by_message(self) -> bool:
        """Whether the client can cancel it with a message. A request over HTTP of the newer protocol, or without a
        session, has no dispatcher: it is cancelled by hanging up, if at all.
        """
        return hasattr(self._dispatch, "_dispatcher")

    def is_cancelled(self) -> bool:
        """Whether `notifications/cancelled` has come for it."""
        return self._dispatch is not None and self._dispatch.cancel_requested.is_set()

    def settle(self) -> None:
        """From now on it is answered, whatever comes (MCP specification, "Cancellation")."""
        requests = getattr(getattr(self._dispatch, "_dispatcher", None), "_in_flight", {})
        for key in [key for key, request in requests.items() if request.dctx is self._dispatch]:
            del requests[key]


_current: ContextVar[Cancellation] = ContextVar("mcp_cancellation")


def current() -> Cancellation:
    """That of the message that is handled; where there is none, one that never comes."""
    return _current.get(Cancellation())


@contextmanager
def of(ctx: ServerRequestContext[Any, Any]) -> Iterator[None]:
    """Within the block, the message is that of `ctx`."""
    token = _current.set(Cancellation(ctx.session._request_outbound))
    try:
        yield
    finally:
        _current.reset(token)
