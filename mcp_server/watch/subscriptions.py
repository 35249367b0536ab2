"""`subscriptions/listen` (MCP specification 2026-07-28, "Subscriptions"): a tenant watches its own resources.

A stream is opened by one request and outlives it: Note [Asked again] in mcp_server.watch.watchers. It ends after ten
minutes in any case, gracefully: the client listens again and is authenticated again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp_types import SubscriptionFilter, SubscriptionsListenRequestParams, SubscriptionsListenResult

from mcp_server.http.context import current_principal, principal_again
from mcp_server.principals import Principal
from mcp_server.read.reading import read
from mcp_server.watch import watchers
from mcp_server.watch.feed import ChangeFeed
from mcp_server.watch.watchers import Watcher, Watchers, Watching

METHOD = "subscriptions/listen"
# Seconds.
STREAM_LIFETIME = 600.0


class Stream(Watcher):
    """An open stream."""

    def __init__(self, principal: Principal, principal_now: Callable[[], Awaitable[Principal | None]]) -> None:
        super().__init__(principal, principal_now)
        self._bus = InMemorySubscriptionBus()
        self.handler = ListenHandler(self._bus)
        self.is_ended = False

    async def tell(self, uri: str) -> None:
        await self._bus.publish(ResourceUpdated(uri))

    def end(self) -> None:
        """End the stream gracefully, also before it has begun."""
        self.is_ended = True
        self.handler.close()


class Subscriptions:
    """The open streams of a process."""

    def __init__(self, feed: ChangeFeed, all_watchers: Watchers) -> None:
        self._feed, self._watchers = feed, all_watchers

    async def listen(
        self, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve one stream to its end. What is not this tenant's to watch is not in the acknowledged filter.

        Raises MCPError: there are too many streams or URIs, or the database does not answer.
        """
        wanted = params.notifications.resource_subscriptions or []
        watchers.require_few(wanted)
        stream = Stream(current_principal(), principal_again(ctx.request))
        self._watchers.admit(stream)
        try:
            async with self._feed.subscribed(stream.tenant_id, stream.hear):
                stream.rows = await read(Watching(METHOD), watchers.watchable, wanted)
                return await self._serve(stream, ctx, params)
        except TimeoutError:
            raise watchers.later() from None
        finally:
            self._watchers.dismiss(stream)

    async def _serve(
        self, stream: Stream, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        # The SDK's handler closes what is open by now, and forgets that it was asked before.
        if stream.is_ended:
            raise watchers.later()
        granted = SubscriptionFilter(resource_subscriptions=list(stream.rows))
        end = asyncio.get_running_loop().call_later(STREAM_LIFETIME, stream.end)
        try:
            return await stream.handler(ctx, params.model_copy(update={"notifications": granted}))
        finally:
            end.cancel()
