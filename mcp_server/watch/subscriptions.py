"""`subscriptions/listen` (MCP specification 2026-07-28, "Subscriptions"): a tenant watches its own resources.

# Note [A stream that lasts]
A stream is opened by one request and outlives what that request was checked for. So each event asks again whether its
sender may still act for the tenant, and a suspended tenant is an event. Nothing is sent where he may not: the stream
ends. It ends after ten minutes in any case, gracefully: the client listens again and is authenticated again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.utils.translation import gettext as _
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    SubscriptionFilter,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)

from mcp_server.declare import registry
from mcp_server.declare.resources import Row
from mcp_server.errors import Refusal
from mcp_server.http.context import current_principal, principal_again
from mcp_server.operations.names import schema_and_name
from mcp_server.principals import Principal
from mcp_server.read.reading import read
from mcp_server.watch.feed import ChangeFeed, RowChange
from rls.backends import lost

logger = logging.getLogger(__name__)

# Seconds.
STREAM_LIFETIME = 600.0
# In one subscription.
MAX_URIS = 100
# In one process: of one tenant, and of all.
MAX_STREAMS_OF_A_TENANT = 20
MAX_STREAMS = 1000


@dataclass(frozen=True, slots=True)
class Listening:
    """What the log calls it."""

    kind: ClassVar[str] = "subscription"
    name: ClassVar[str] = "subscriptions/listen"


class Stream:
    """An open stream: whose it is, and which of its URIs is made of which rows. See Note [A stream that lasts]."""

    def __init__(self, principal: Principal, principal_now: Callable[[], Awaitable[Principal | None]]) -> None:
        if principal.tenant_id is None:
            raise TypeError("a stream is a tenant's, and this principal is the platform's")
        self.principal = principal
        self.tenant_id = principal.tenant_id
        self.rows: dict[str, frozenset[Row]] = {}
        self._principal_now = principal_now
        self._bus = InMemorySubscriptionBus()
        self.handler = ListenHandler(self._bus)
        self.is_ended = False

    def end(self) -> None:
        """End the stream gracefully, also before it has begun."""
        self.is_ended = True
        self.handler.close()

    async def hear(self, change: RowChange | None) -> None:
        """Send an event for each URI that the change is about, or end the stream."""
        if change is not None and change.tenant_id != self.tenant_id:
            return
        uris = [
            uri for uri, rows in self.rows.items() if change is None or any(_is_touched(row, change) for row in rows)
        ]
        # A change of the tenant itself may have suspended it: then the stream ends, whatever it watches.
        if not uris and not (change is not None and change.table == _tenant_table()):
            return
        if not await self._is_welcome():
            self.end()
            return
        for uri in uris:
            await self._bus.publish(ResourceUpdated(uri))

    async def _is_welcome(self) -> bool:
        try:
            now = await self._principal_now()
        except Exception as error:  # a client that listens again loses nothing
            logger.warning(
                "a stream was ended: the database did not say whether it may go on",
                exc_info=None if lost.is_lost(error) else error,
            )
            return False
        return now is not None and (now.subject, now.scopes) == (self.principal.subject, self.principal.scopes)


class Subscriptions:
    """The open streams of a process."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()
        self._feed = ChangeFeed()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._streams)

    async def listen(
        self, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve one stream to its end. What is not this tenant's to watch is not in the acknowledged filter.

        Raises MCPError: there are too many streams or URIs, or the database does not answer.
        """
        wanted = params.notifications.resource_subscriptions or []
        if len(wanted) > MAX_URIS:
            raise MCPError(INVALID_PARAMS, _("A subscription can watch at most {most} URIs.").format(most=MAX_URIS))
        stream = Stream(current_principal(), principal_again(ctx.request))
        self._admit(stream)
        try:
            async with self._feed.subscribed(stream.tenant_id, stream.hear):
                stream.rows = await read(Listening(), watchable, wanted)
                return await self._serve(stream, ctx, params)
        except TimeoutError:
            raise _later() from None
        finally:
            self._streams.discard(stream)

    def close(self) -> None:
        """End every stream gracefully, and open no more."""
        self._is_closed = True
        for stream in self._streams:
            stream.end()

    async def _serve(
        self, stream: Stream, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        # The SDK's handler closes what is open by now, and forgets that it was asked before.
        if stream.is_ended:
            raise _later()
        granted = SubscriptionFilter(resource_subscriptions=list(stream.rows))
        end = asyncio.get_running_loop().call_later(STREAM_LIFETIME, stream.end)
        try:
            return await stream.handler(ctx, params.model_copy(update={"notifications": granted}))
        finally:
            end.cancel()

    def _admit(self, stream: Stream) -> None:
        of_tenant = sum(each.tenant_id == stream.tenant_id for each in self._streams)
        if self._is_closed or len(self._streams) >= MAX_STREAMS or of_tenant >= MAX_STREAMS_OF_A_TENANT:
            raise MCPError(
                INTERNAL_ERROR, _("Too many subscription streams are open. Close one, or subscribe again later.")
            )
        self._streams.add(stream)


def watchable(uris: Sequence[str]) -> dict[str, frozenset[Row]]:
    """Those of the URIs that the caller may watch, with the rows that they are made of; needs its tenant's context.

    What another tenant has is not there, and neither is what the caller may not read.
    """
    rows: dict[str, frozenset[Row]] = {}
    for uri in uris:
        found = registry.current().find(uri)
        if found is None:
            continue
        spec, arguments = found
        if spec.rows is not None:
            try:
                rows[uri] = frozenset(spec.rows(**arguments))
            except Refusal:
                continue
    return rows


def _tenant_table() -> str:
    return _announced(apps.get_model(settings.RLS_TENANT_MODEL)._meta.db_table)


def _announced(db_table: str) -> str:
    """A model's table as a trigger names it: without its schema."""
    return schema_and_name(db_table)[1]


def _later() -> MCPError:
    return MCPError(INTERNAL_ERROR, _("Changes can't be watched at the moment. Subscribe again later."))


def _is_touched(row: Row, change: RowChange) -> bool:
    table, row_id = row
    return _announced(table) == change.table and (row_id is None or change.ids is None or row_id in change.ids)
