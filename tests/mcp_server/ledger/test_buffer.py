"""Records on their way: written soon, kept while the database does not answer, and none takes another with it."""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connections
from psycopg import sql

from mcp_server.ledger import buffer
from mcp_server.ledger.buffer import BATCH_SIZE, MAX_WAITING, Buffer
from mcp_server.ledger.models import CallRecord
from rls import tenant_context
from rls.testing import server
from tests.support.held import until
from tests.support.world import World


def record(action: str, **facts: Any) -> str:
    whole = {
        "id": buffer.new_id(datetime.now(UTC)),
        "created_at": datetime.now(UTC).isoformat(),
        "kind": "tool",
        "action": action,
        "arguments": {},
        "outcome": "ok",
        "duration_ms": 1.0,
        "rows": None,
        "actor": "ada",
        "actor_id": "",
        "request_id": "",
        "client": "",
        "address": "",
    }
    return json.dumps(whole | facts)


def actions(world: World) -> list[str]:
    with tenant_context(world.id):
        return sorted(CallRecord.objects.filter(actor="ada").values_list("action", flat=True))


@contextmanager
def closed_database(admin: psycopg.Connection) -> Iterator[None]:
    """Within the block nobody connects to the database of the test."""
    name, place = sql.Identifier(admin.info.dbname), admin.info
    options = connections.settings["default"]["OPTIONS"]["pool"]
    with psycopg.connect(place.dsn, password=place.password, dbname="postgres", autocommit=True) as elsewhere:
        server.disconnect()
        elsewhere.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        before, options["timeout"] = options["timeout"], 0.5
        try:
            yield
        finally:
            elsewhere.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
            options["timeout"] = before
            server.disconnect()


def test_records_of_several_tenants_are_written_each_in_its_own(acme: World, globex: World) -> None:
    own = Buffer()
    for world in (acme, globex, acme):
        own.add(world.id, record(f"of {world.subdomain}"))

    own.flush()

    assert actions(acme) == ["of acme", "of acme"]
    assert actions(globex) == ["of globex"]
    assert len(own) == 0


def test_the_thread_writes_without_being_asked(acme: World) -> None:
    own = Buffer()

    own.add(acme.id, record("first"))
    until(lambda: actions(acme) == ["first"])
    for number in range(BATCH_SIZE + 1):
        own.add(acme.id, record(f"more {number}"))

    until(lambda: len(actions(acme)) == BATCH_SIZE + 2)


def test_records_of_a_tenant_that_is_gone_are_left_out(acme: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, buffer.logger.name)
    own = Buffer()
    own.add(UUID(int=0), record("of nobody"))
    own.add(acme.id, record("of acme"))

    own.flush()

    assert actions(acme) == ["of acme"]
    assert [entry.message for entry in caplog.records] == ["calls of a tenant that is gone are not recorded"]


def test_a_record_of_a_tenant_that_is_suspended_is_written(acme: World, admin: psycopg.Connection) -> None:
    own = Buffer()
    own.add(acme.id, record("before"))
    admin.execute("UPDATE core_tenant SET is_active = false WHERE id = %s", [acme.id])

    own.flush()

    admin.execute("UPDATE core_tenant SET is_active = true WHERE id = %s", [acme.id])
    assert actions(acme) == ["before"]


def test_a_record_that_no_column_holds_takes_no_other_with_it(acme: World, caplog: pytest.LogCaptureFixture) -> None:
    own = Buffer()
    for number in range(5):
        own.add(acme.id, record(f"{number}", **({"duration_ms": "long"} if number == 2 else {})))

    own.flush()

    assert actions(acme) == ["0", "1", "3", "4"]
    [entry] = caplog.records
    assert (entry.message, entry.lost) == ("records of calls were lost", 1)


def test_a_record_that_is_written_twice_is_there_once(acme: World) -> None:
    own, one = Buffer(), record("once")
    own.add(acme.id, one)
    own.flush()
    own.add(acme.id, one)

    own.flush()

    assert actions(acme) == ["once"]


def test_records_wait_for_a_database_that_does_not_answer(
    acme: World, admin: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    own = Buffer()
    with closed_database(admin):
        own.add(acme.id, record("first"))
        own.add(acme.id, record("second"))
        own.flush()
        assert len(own) == 2

    own.flush()

    assert actions(acme) == ["first", "second"]
    assert [entry for entry in caplog.records if entry.name == buffer.logger.name] == []


def test_the_oldest_of_too_many_are_lost_and_the_log_says_how_many(
    acme: World, admin: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    own = Buffer()
    with closed_database(admin):
        for number in range(MAX_WAITING + 3):
            own.add(acme.id, record(f"{number:05}"))
        assert len(own) <= MAX_WAITING

        own.flush()
        own.add(acme.id, record("last"))
        assert len(own) <= MAX_WAITING

    own.flush()

    kept = actions(acme)
    assert (len(kept), kept[0], kept[-1]) == (MAX_WAITING, "00004", "last")
    [entry] = [entry for entry in caplog.records if entry.name == buffer.logger.name]
    assert (entry.message, entry.lost) == ("records of calls were lost", 4)


def test_a_fork_writes_nothing_of_its_parents() -> None:
    own = Buffer()
    own._waiting.append((uuid.uuid4(), "{}"))
    child = os.fork()
    if child == 0:
        os._exit(len(buffer.BUFFER))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_ids_are_of_version_7_and_in_the_order_of_time() -> None:
    first, second = (UUID(buffer.new_id(datetime(2026, 1, day, tzinfo=UTC))) for day in (1, 2))

    assert (first.version, first.variant) == (7, uuid.RFC_4122)
    assert first.hex[:12] == f"{1767225600000:012x}"
    assert first < second
