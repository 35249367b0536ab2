"""`resources/subscribe` and `resources/unsubscribe` of the older protocols, which need a connection that lasts.

That is a session, an SSE stream or stdio. What is watched ends with it: Note [Asked again] in
mcp_server.watch.watchers.

# Note [A client that does not read]
The feed tells all tenants of a process one after the other, and a message to a client that reads nothing waits for it.
So each connection has a task that sends to it, and what has changed twice in the meantime is told once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from django.utils.translation import gettext as _
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from mcp_server.call import refusals
from mcp_server.http.context import current_principal, principal_again
from mcp_server.principals import Principal
from mcp_server.read.reading import read
from mcp_server.read.server import RESOURCE_NOT_FOUND
from mcp_server.watch import watchers
from mcp_server.watch.feed import ChangeFeed
from mcp_server.watch.watchers import Watcher, Watchers, Watching

SUBSCRIBE = "resources/subscribe"
WATCHER_KEY = "mcp_server.watcher"


class SessionWatcher(Watcher):
    """What one connection watches, from the first URI to the last."""

    def __init__(
        self,
        connection: Connection,
        principal: Principal,
        principal_now: Callable[[], Awaitable[Principal | None]],
    ) -> None:
        super().__init__(principal, principal_now)
        self._connection = connection
        # Held while it begins or ends: a client may send several messages at once.
        self.changing = asyncio.Lock()
        # What is left at its end: the feed.
        self.joined = AsyncExitStack()
        self.has_joined = self.is_ended = False
        self._leaving: asyncio.Task[None] | None = None
        # The URIs that have changed and are not told yet, in the order of their changes.
        self._untold: dict[str, None] = {}
        self._telling: asyncio.Task[None] | None = None

    async def tell(self, uri: str) -> None:
        """It does not wait for the client: see Note [A client that does not read]."""
        self._untold[uri] = None
        if self._telling is None or self._telling.done():
            self._telling = asyncio.get_running_loop().create_task(self._tell_all())

    def forget(self, uri: str) -> None:
        """Watch a URI no more."""
        self.rows.pop(uri, None)
        self._untold.pop(uri, None)

    def end(self) -> None:
        self.is_ended = True
        # Not here: the feed may be waiting for us, and whoever calls may hold `changing`.
        self._leaving = self._leaving or asyncio.get_running_loop().create_task(self.leave())

    async def leave(self) -> None:
        """End, and be no listener any more."""
        self.is_ended = True
        if self._telling is not None:
            self._telling.cancel()
        async with self.changing:
            await self.joined.aclose()

    async def _tell_all(self) -> None:
        while self._untold and not self.is_ended:
            uri = next(iter(self._untold))
            del self._untold[uri]
            await self._connection.send_resource_updated(uri)


class SessionSubscriptions:
    """What the connections of a process watch that last."""

    def __init__(self, feed: ChangeFeed, all_watchers: Watchers) -> None:
        self._feed, self._watchers = feed, all_watchers

    async def subscribe(self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        """Watch a URI. Raises MCPError: it can't be watched, there are too many, or the database does not answer."""
        while True:
            watcher = self._watcher(ctx)
            async with watcher.changing:
                if not watcher.is_ended:  # with its last URI, while we waited
                    await self._add(watcher, str(params.uri), ctx)
                    return EmptyResult()

    async def unsubscribe(self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        """Watch a URI no more, whether it was watched or not."""
        watcher = _found(ctx)
        if watcher is not None:
            async with watcher.changing:
                watcher.forget(str(params.uri))
                if not watcher.rows:
                    watcher.end()
        return EmptyResult()

    async def _add(self, watcher: SessionWatcher, uri: str, ctx: ServerRequestContext[Any, Any]) -> None:
        others = [each for each in watcher.rows if each != uri]
        watchers.require_few([*others, uri])
        principal = current_principal()
        # A session lasts longer than a token: with another one, which may have other scopes, all is judged anew.
        judged = [uri] if principal == watcher.principal else [*others, uri]
        try:
            if not watcher.has_joined:
                # Before it is read: what is changed in between would not be heard.
                await watcher.joined.enter_async_context(self._feed.subscribed(watcher.tenant_id, watcher.hear))
                watcher.has_joined = True
            found = await read(Watching(SUBSCRIBE), watchers.watchable, judged)
            watcher.act_for(principal, principal_again(ctx.request))
            for each in judged:
                if each not in found:
                    watcher.forget(each)
            watcher.rows.update(found)
            if uri not in found:
                raise _not_watchable(uri)
        except TimeoutError:
            raise watchers.later() from None
        finally:
            if not watcher.rows:
                watcher.end()

    def _watcher(self, ctx: ServerRequestContext[Any, Any]) -> SessionWatcher:
        """That of the connection; a new one, where there is none. The SDK lets nobody but its owner into a session."""
        if (found := _found(ctx)) is not None:
            return found
        connection = _connection(ctx)
        watcher = SessionWatcher(connection, current_principal(), principal_again(ctx.request))
        self._watchers.admit(watcher)
        watcher.joined.callback(self._watchers.dismiss, watcher)
        if WATCHER_KEY not in connection.state:
            connection.exit_stack.push_async_callback(_leave, connection)
        connection.state[WATCHER_KEY] = watcher
        return watcher


def _found(ctx: ServerRequestContext[Any, Any]) -> SessionWatcher | None:
    watcher: SessionWatcher | None = _connection(ctx).state.get(WATCHER_KEY)
    return None if watcher is None or watcher.is_ended else watcher


async def _leave(connection: Connection) -> None:
    watcher: SessionWatcher = connection.state[WATCHER_KEY]
    await watcher.leave()


def _connection(ctx: ServerRequestContext[Any, Any]) -> Connection:
    return ctx.session._connection


def _not_watchable(uri: str) -> MCPError:
    text = _(
        "There is no resource {uri} that can be watched. Call resources/list and resources/templates/list to see the "
        "resources."
    )
    return MCPError(RESOURCE_NOT_FOUND, text.format(uri=refusals.short(uri)), data={"uri": uri})
