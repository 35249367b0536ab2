"""The trail of a tenant for people and programs: read as JSON lines, and forgotten when it is old."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from mcp_server.ledger.trail import LEDGER
from mcp_server.tokens import resolver
from rls.context import PLATFORM_ALIAS, as_tenant_id

# Rows that are in memory at a time, and those that one transaction deletes.
READ_SIZE = 2_000
BATCH_SIZE = 50_000
AGE = re.compile(r"([1-9][0-9]{0,4})d", re.ASCII)
WHO = ("actor", "actor_id", "request_id", "client", "address")

Line = tuple[datetime, str, dict[str, Any]]


def models() -> tuple[type[Model], type[Model]]:
    """Audit events and call records. Raises CommandError: the project keeps none."""
    if not apps.is_installed(LEDGER):
        raise CommandError(f'nothing is kept of calls: add "{LEDGER}" to INSTALLED_APPS, and migrate')
    return apps.get_model("mcp_ledger.AuditEvent"), apps.get_model("mcp_ledger.CallRecord")


def moment(said: str) -> datetime:
    """A day or a time; of UTC where it names no other zone. Raises CommandError."""
    try:
        found = parse_datetime(said)
        day = None if found else parse_date(said)
    except ValueError:
        found = day = None
    if day is not None:
        found = datetime.combine(day, time())
    if found is None:
        raise CommandError(f"{said!r} is no day and no time; write 2026-01-31, or 2026-01-31T08:00:00+08:00")
    return found if timezone.is_aware(found) else found.replace(tzinfo=UTC)


def age(said: str) -> datetime:
    """The time that was so long ago: "400d". Raises CommandError."""
    found = AGE.fullmatch(said)
    if found is None:
        raise CommandError(f"{said!r} is no age; write a number of days, such as 400d")
    return timezone.now() - timedelta(days=int(found[1]))


def tenant_id_of(said: str) -> UUID:
    """The tenant of this URL name, or of this id, which a suspended one is found by. Needs a platform context.

    Raises CommandError.
    """
    try:
        return as_tenant_id(said)
    except ValueError:
        found = resolver.active_tenant(said)
    if found is None:
        raise CommandError(f"there is no active tenant {said!r}; say the name in its URL, or its id")
    return found


def lines(tenant_id: UUID, **filters: Any) -> Iterator[str]:
    """Each call of a tenant as a JSON object, the oldest first. Needs a platform context.

    `filters` are those of the models: what they have in common.
    """
    events, records = (_rows(model, tenant_id, filters) for model in models())
    merged = heapq.merge(_events(events), _records(records), key=itemgetter(0, 1))
    for _, _, facts in merged:
        yield json.dumps(facts, cls=DjangoJSONEncoder, ensure_ascii=False)


def forget(before: datetime) -> dict[str, int]:
    """Delete some of what is older, and of the states that have expired, at most BATCH_SIZE of each kind; how many, by
    label. Needs a platform context.
    """
    found = {}
    for model in models():
        rows = model._base_manager.using(PLATFORM_ALIAS)
        old = rows.filter(created_at__lt=before).values("pk")[:BATCH_SIZE]
        found[model._meta.label] = rows.filter(pk__in=old)._raw_delete(PLATFORM_ALIAS)
    states = apps.get_model("mcp_ledger.State")
    rows = states._base_manager.using(PLATFORM_ALIAS)
    expired = rows.filter(expires_at__lte=Now()).values("pk")[:BATCH_SIZE]
    found[states._meta.label] = rows.filter(pk__in=expired)._raw_delete(PLATFORM_ALIAS)
    return found


def _rows(model: type[Model], tenant_id: UUID, filters: dict[str, Any]) -> Iterator[Any]:
    found = model._base_manager.using(PLATFORM_ALIAS).filter(tenant_id=tenant_id, **filters)
    return _in_batches(found.order_by("created_at", "pk"))


def _in_batches(rows: QuerySet[Any]) -> Iterator[Any]:
    last: Any = None
    while True:
        after = (
            rows
            if last is None
            else rows.filter(created_at__gte=last.created_at).exclude(created_at=last.created_at, pk__lte=last.pk)
        )
        batch = list(after[:READ_SIZE])
        yield from batch
        if len(batch) < READ_SIZE:
            return
        last = batch[-1]


def _events(rows: Iterator[Any]) -> Iterator[Line]:
    for row in rows:
        own = {"subject": row.subject, "arguments": row.details, "changes": row.changes}
        yield _line(row, {"kind": "tool", "action": row.action, "outcome": "changed", **own})


def _records(rows: Iterator[Any]) -> Iterator[Line]:
    for row in rows:
        own = {"arguments": row.arguments, "duration_ms": row.duration_ms, "rows": row.rows}
        yield _line(row, {"kind": row.kind, "action": row.action, "outcome": row.outcome, **own})


def _line(row: Any, own: dict[str, Any]) -> Line:
    who = {name: getattr(row, name) for name in WHO}
    return row.created_at, str(row.pk), {"at": row.created_at, "id": row.pk, **own, **who}
