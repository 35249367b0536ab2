"""The audit log of the open tenant context."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.models import AuditEvent
from mcp_server import pages
from mcp_server.pages import Page

NEWEST = ("-created_at", "-id")


def write(*, action: str, subject: str, actor: str, details: dict[str, Any]) -> None:
    """Remember a change, in its transaction. `details` are plain JSON values."""
    AuditEvent.objects.create(action=action, subject=subject[:200], actor=actor, details=details)


def page(
    *, limit: int, cursor: str | None, action: str = "", since: datetime | None = None, until: datetime | None = None
) -> Page[AuditEvent]:
    """A page of what was changed, newest first: by one tool or by any, from `since` on and before `until`.

    Raises InvalidCursor.
    """
    found = AuditEvent.objects.all()
    if action:
        found = found.filter(action=action)
    if since is not None:
        found = found.filter(created_at__gte=since)
    if until is not None:
        found = found.filter(created_at__lt=until)
    filters = {"list": "audit", "action": action, "since": since, "until": until}
    return pages.page(found, order=NEWEST, limit=limit, cursor=cursor, of=filters)
