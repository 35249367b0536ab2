"""The audit events of the open tenant context.

It needs the app `mcp_server.ledger` in INSTALLED_APPS; the module can be imported without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mcp_server import pages
from mcp_server.declare.tools import ValueChange
from mcp_server.ledger.whence import MAX_ACTOR_LENGTH, NOWHERE, Whence
from mcp_server.pages import Page

if TYPE_CHECKING:
    from django.db.models import Manager

    from mcp_server.ledger.models import AuditEvent

NEWEST_FIRST = ("-created_at", "-id")


def write(
    *,
    action: str,
    subject: str,
    actor: str,
    actor_id: str = "",
    details: dict[str, Any],
    changes: Iterable[ValueChange] = (),
    whence: Whence = NOWHERE,
    tenant_id: UUID | None = None,
) -> None:
    """Remember a change, in its transaction. `details` are plain JSON values, without secrets.

    Of `subject` 200 characters are kept, of `actor` 100. Platform work says for which tenant, by `tenant_id`.
    """
    _events().create(
        **({} if tenant_id is None else {"tenant_id": tenant_id}),
        action=action,
        subject=subject[:200],
        actor=actor[:MAX_ACTOR_LENGTH],
        actor_id=actor_id,
        details=details,
        changes=[_plain(each) for each in changes],
        request_id=whence.request_id,
        client=whence.client,
        address=whence.address,
    )


def page(
    *,
    limit: int,
    cursor: str | None,
    action: str = "",
    subject: str = "",
    actor: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[AuditEvent]:
    """A page of what was changed, newest first: by one tool or by any, of one subject ("ticket 7"), by one actor,
    from `since` on and before `until`.

    Raises InvalidCursor.
    """
    said = {name: value for name, value in [("action", action), ("subject", subject), ("actor", actor)] if value}
    found = _events().filter(**said)
    if since is not None:
        found = found.filter(created_at__gte=since)
    if until is not None:
        found = found.filter(created_at__lt=until)
    filters = {"list": "audit", **said, "since": since, "until": until}
    return pages.page(found, order=NEWEST_FIRST, limit=limit, cursor=cursor, of=filters)


def _plain(change: ValueChange) -> dict[str, Any]:
    found = {"field": change.field, "before": change.before, "after": change.after}
    return found | {"unit": change.unit} if change.unit else found


def _events() -> Manager[AuditEvent]:
    # Here, because a project whose tools only read has the call pipeline and not this app.
    from mcp_server.ledger.models import AuditEvent

    return AuditEvent.objects
