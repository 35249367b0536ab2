"""Who watches resources of a tenant: which of its URIs is made of which rows, and whether its owner may go on.

# Note [Asked again]
What watches outlives the request that it was checked for. So each event asks again whether its owner may still act for
the tenant, and a suspended tenant is an event. Nothing is sent where he may not: the watching ends.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from django.apps import apps
from django.conf import settings
from django.utils.translation import gettext as _
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from mcp_server.declare import registry
from mcp_server.declare.resources import Row
from mcp_server.errors import Refusal
from mcp_server.operations.names import schema_and_name
from mcp_server.principals import Principal
from mcp_server.watch.feed import RowChange
from rls.backends import lost

logger = logging.getLogger(__name__)

# Of one stream or session.
MAX_URIS = 100
# In one process: of one tenant, and of all.
MAX_WATCHERS_OF_A_TENANT = 20
MAX_WATCHERS = 1000


@dataclass(frozen=True, slots=True)
class Watching:
    """What the log calls a request to watch."""

    name: str
    kind: ClassVar[str] = "subscription"


class Watcher(ABC):
    """Watches URIs for one principal, over one stream or session. See Note [Asked again]."""

    def __init__(self, principal: Principal, principal_now: Callable[[], Awaitable[Principal | None]]) -> None:
        if principal.tenant_id is None:
            raise TypeError("what is watched is a tenant's, and this principal is the platform's")
        self.principal = principal
        self.tenant_id = principal.tenant_id
        self.rows: dict[str, frozenset[Row]] = {}
        self._principal_now = principal_now

    def act_for(self, principal: Principal, principal_now: Callable[[], Awaitable[Principal | None]]) -> None:
        """From now on it watches for the caller of another message, who is the same one with another token."""
        self.principal, self._principal_now = principal, principal_now

    @abstractmethod
    async def tell(self, uri: str) -> None:
        """Tell the client that a URI has changed."""

    @abstractmethod
    def end(self) -> None:
        """Watch nothing any more."""

    async def hear(self, change: RowChange | None) -> None:
        """Tell of each URI that the change is about, or end."""
        if change is not None and change.tenant_id != self.tenant_id:
            return
        uris = [
            uri for uri, rows in self.rows.items() if change is None or any(_is_touched(row, change) for row in rows)
        ]
        # A change of the tenant itself may have suspended it: then it ends, whatever is watched.
        if not uris and not (change is not None and change.table == _tenant_table()):
            return
        if not await self._is_welcome():
            self.end()
            return
        for uri in uris:
            await self.tell(uri)

    async def _is_welcome(self) -> bool:
        try:
            now = await self._principal_now()
        except Exception as error:  # a client that watches again loses nothing
            logger.warning(
                "a stream was ended: the database did not say whether it may go on",
                exc_info=None if lost.is_lost(error) else error,
            )
            return False
        return now is not None and (now.subject, now.scopes) == (self.principal.subject, self.principal.scopes)


class Watchers:
    """Those of a process that watch."""

    def __init__(self) -> None:
        self._all: set[Watcher] = set()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, watcher: Watcher) -> None:
        """Raises MCPError: there are too many."""
        of_tenant = sum(each.tenant_id == watcher.tenant_id for each in self._all)
        if self._is_closed or len(self._all) >= MAX_WATCHERS or of_tenant >= MAX_WATCHERS_OF_A_TENANT:
            raise MCPError(
                INTERNAL_ERROR, _("Too many subscription streams are open. Close one, or subscribe again later.")
            )
        self._all.add(watcher)

    def dismiss(self, watcher: Watcher) -> None:
        """It has ended."""
        self._all.discard(watcher)

    def close(self) -> None:
        """End every one gracefully, and admit no more."""
        self._is_closed = True
        for watcher in list(self._all):
            watcher.end()


def require_few(uris: Sequence[str]) -> None:
    """Raise MCPError: these are more than one stream or session may watch."""
    if len(uris) > MAX_URIS:
        raise MCPError(INVALID_PARAMS, _("A subscription can watch at most {most} URIs.").format(most=MAX_URIS))


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


def later() -> MCPError:
    """What is said where the database does not tell of changes."""
    return MCPError(INTERNAL_ERROR, _("Changes can't be watched at the moment. Subscribe again later."))


def _tenant_table() -> str:
    return _announced(apps.get_model(settings.RLS_TENANT_MODEL)._meta.db_table)


def _announced(db_table: str) -> str:
    """A model's table as a trigger names it: without its schema."""
    return schema_and_name(db_table)[1]


def _is_touched(row: Row, change: RowChange) -> bool:
    table, row_id = row
    return _announced(table) == change.table and (row_id is None or change.ids is None or row_id in change.ids)
