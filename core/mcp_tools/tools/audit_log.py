"""What was changed, when, and by whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Self

from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from core import formats, periods
from core.mcp_tools import listing, subjects, value_changes
from core.mcp_tools.tools.orders import Number
from core.scopes import Scope
from mcp_server.call.signature import Cursor, Limit
from mcp_server.call.units import Dated, Moment
from mcp_server.declare.tools import Answer, ValueChange, tool
from mcp_server.errors import Refusal
from mcp_server.ledger import events
from mcp_server.ledger.models import AuditEvent
from mcp_server.pages import Page


class ChangedValue(BaseModel):
    """A value before and after a change; `unit` is the currency of an amount."""

    field: str
    before: str | int | bool | None
    after: str | int | bool | None
    unit: str = ""


class Event(BaseModel):
    """A change: the tool that made it, what it was about, which values were others before, and the tool's arguments.

    A price is a decimal text in the currency's own unit, and `price_minor` in the minor unit.
    """

    at: Moment
    action: str
    subject: str
    actor: str
    changes: list[ChangedValue]
    details: dict[str, Any]

    @classmethod
    def of(cls, event: AuditEvent) -> Self:
        return cls(
            at=event.created_at,
            action=event.action,
            subject=event.subject,
            actor=event.actor,
            changes=event.changes,
            details=event.details,
        )

    def lines(self) -> Iterator[str]:
        """The change on a line, in the caller's language; below it, each value before and after, and the arguments."""
        words = _("- {at} {action}: {subject}, by {actor}").format(
            at=formats.moment(self.at), action=self.action, subject=self.subject, actor=self.actor
        )
        yield words
        changes = (ValueChange(each.field, each.before, each.after, each.unit) for each in self.changes)
        yield from (f"  {line}" for line in value_changes.lines(changes))
        if self.details:
            yield f"  {json.dumps(self.details, ensure_ascii=False)}"


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
        lines = chain.from_iterable(event.lines() for event in self.events)
        return "\n".join([_("Changes, newest first:"), *lines, *listing.more(self.next_cursor)])


@tool(scope=Scope.AUDIT_READ, title="Audit log", read_only=True)
def get_audit_log(
    action: Annotated[
        str, Field(max_length=64, description='The name of the tool that made the change; "adjust_stock" is one.')
    ] = "",
    product: Annotated[
        str, Field(max_length=64, description="The product's sku, for what was changed of it; not its sales.")
    ] = "",
    order: Annotated[Number | None, Field(description="The order's number, for what was changed of it.")] = None,
    actor: Annotated[str, Field(max_length=100, description="The exact name of who made the change.")] = "",
    period: Annotated[
        str | None,
        Field(max_length=40, description="When the change was made, such as today or 2026-11."),
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> AuditLog:
    """List changes with their tool, actor, subject and each value before and after, newest first: who changed this
    price, from what? For a product's stock movements call get_product; for an order call get_order."""
    if product and order is not None:
        raise Refusal(_("A change is about a product or an order. Call get_audit_log with one of them."))
    when = periods.parse(period) if period is not None else None
    return AuditLog.of(
        events.page(
            limit=limit,
            cursor=cursor,
            action=action,
            subject=_subject(product, order),
            actor=actor,
            since=when.start if when else None,
            until=when.end if when else None,
        )
    )


def _subject(product: str, order: int | None) -> str:
    if order is not None:
        return subjects.of_order(order)
    return subjects.of_product(product) if product else ""
