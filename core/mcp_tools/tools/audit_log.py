"""What was changed, when, and by whom."""

from __future__ import annotations

import json
from typing import Annotated, Any, Self

from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from core import formats, periods
from core.mcp_tools import listing
from core.scopes import Scope
from mcp_server.call.signature import Cursor, Limit
from mcp_server.call.units import Dated, Moment
from mcp_server.declare.tools import Answer, tool
from mcp_server.ledger import events
from mcp_server.ledger.models import AuditEvent
from mcp_server.pages import Page


class Event(BaseModel):
    """A change: the tool that made it, what it was about, and the tool's arguments."""

    at: Moment
    action: str
    subject: str
    actor: str
    details: dict[str, Any]

    @classmethod
    def of(cls, event: AuditEvent) -> Self:
        return cls(
            at=event.created_at,
            action=event.action,
            subject=event.subject,
            actor=event.actor,
            details=event.details,
        )

    def line(self) -> str:
        """The change on a line, in the caller's language, and its arguments on another."""
        words = _("- {at} {action}: {subject}, by {actor}").format(
            at=formats.moment(self.at), action=self.action, subject=self.subject, actor=self.actor
        )
        return f"{words}\n  {json.dumps(self.details, ensure_ascii=False)}" if self.details else words


class AuditLog(Dated, Answer):
    """Some changes, newest first; `next_cursor` asks for those before them."""

    events: list[Event]
    has_more: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[AuditEvent]) -> Self:
        rows = [Event.of(event) for event in page.rows]
        return cls(events=rows, has_more=page.has_more, next_cursor=page.cursor)

    def text(self) -> str:
        if not self.events:
            return _("No changes match these filters.")
        lines = (event.line() for event in self.events)
        return "\n".join([_("Changes, newest first:"), *lines, *listing.more(self.next_cursor)])


@tool(scope=Scope.AUDIT_READ, title="Audit log", read_only=True)
def get_audit_log(
    action: Annotated[
        str, Field(max_length=64, description='The name of the tool that made the change, such as "adjust_stock".')
    ] = "",
    period: Annotated[
        str | None,
        Field(max_length=40, description="When the change was made, such as today or 2026-11."),
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> AuditLog:
    """List changes with their tool, actor and subject, newest first. For a product's stock movements call get_product;
    for an order call get_order."""
    when = periods.parse(period) if period is not None else None
    return AuditLog.of(
        events.page(
            limit=limit,
            cursor=cursor,
            action=action,
            since=when.start if when else None,
            until=when.end if when else None,
        )
    )
