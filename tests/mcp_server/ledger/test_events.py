"""The audit log: newest first, by tool and by time, this tenant's only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.utils import ProgrammingError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mcp_server.declare.tools import ValueChange
from mcp_server.ledger import events
from mcp_server.ledger.models import AuditEvent
from mcp_server.pages import InvalidCursor
from rls import tenant_context
from tests.support.world import World


def write(action: str, subject: str) -> None:
    events.write(action=action, subject=subject, actor="mei", details={"sku": "A-1"})


def subjects(**filters: object) -> list[str]:
    return [event.subject for event in events.page(limit=100, cursor=None, **filters).rows]  # type: ignore[arg-type]


def test_events_are_listed_newest_first_in_one_statement(acme: World, globex: World) -> None:
    with tenant_context(globex.id):
        write("adjust_stock", "product G-1")

    with tenant_context(acme.id):
        write("adjust_stock", "product A-1")
        write("update_product", "product A-2")
        with CaptureQueriesContext(connection) as statements:
            found = subjects()

        assert found == ["product A-2", "product A-1", "order 1"]
        assert len(statements) == 1


def test_a_long_name_of_a_caller_is_cut_and_no_error(acme: World) -> None:
    with tenant_context(acme.id):
        events.write(action="adjust_stock", subject="s" * 201, actor="a" * 101, details={})

        event = AuditEvent.objects.get(action="adjust_stock")
        assert (event.subject, event.actor) == ("s" * 200, "a" * 100)


def test_events_are_found_by_tool_and_time(acme: World) -> None:
    with tenant_context(acme.id):
        write("adjust_stock", "product A-1")
        now, hour = timezone.now(), timedelta(hours=1)

        assert subjects(action="adjust_stock") == ["product A-1"]
        assert subjects(action="adjust_stoc") == []
        assert subjects(since=now - hour, until=now + hour) == ["product A-1", "order 1"]
        assert subjects(since=now + hour) == subjects(until=now - hour) == []


def test_events_are_found_by_subject_and_actor(acme: World) -> None:
    with tenant_context(acme.id):
        write("adjust_stock", "product A-1")
        events.write(action="adjust_stock", subject="product A-10", actor="ada", details={})

        assert subjects(subject="product A-1") == ["product A-1"]
        assert subjects(actor="ada") == ["product A-10"]
        assert subjects(subject="product A-1", actor="ada") == []


def test_values_are_kept_as_they_were(acme: World) -> None:
    changes = [ValueChange("name", "old", None), ValueChange("price", "1", "2", unit="EUR")]

    with tenant_context(acme.id):
        events.write(action="rename", subject="s", actor="ada", details={}, changes=changes)

        assert AuditEvent.objects.get(action="rename").changes == [
            {"field": "name", "before": "old", "after": None},
            {"field": "price", "before": "1", "after": "2", "unit": "EUR"},
        ]


def test_a_cursor_is_good_for_its_filters_and_its_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        write("adjust_stock", "product A-1")
        first = events.page(limit=1, cursor=None)
        second = events.page(limit=1, cursor=first.cursor)

        assert [event.subject for event in [*first.rows, *second.rows]] == ["product A-1", "order 1"]
        with pytest.raises(InvalidCursor):
            events.page(limit=1, cursor=first.cursor, action="adjust_stock")

    with tenant_context(globex.id):
        with pytest.raises(InvalidCursor):
            events.page(limit=1, cursor=first.cursor)


def test_an_event_is_written_once_and_never_changed(acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(ProgrammingError, match="permission denied"):
            AuditEvent.objects.update(actor="nobody")
        with pytest.raises(ProgrammingError, match="permission denied"):
            AuditEvent.objects.all().delete()
