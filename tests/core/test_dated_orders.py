"""The migration that dates what was cancelled while nothing kept the time of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module

import psycopg
import pytest
from django.core.management import call_command

import rls
from core.models import Order, OrderStatus, StockMovement
from tests.support import postgres
from tests.support.postgres import Server
from tests.support.selling import moment, product, sell
from tests.support.world import make_tenant

MIGRATION = import_module("core.migrations.0006_moments_of_orders").Migration


@pytest.fixture
def own_database(postgres_server: Server, database: str) -> Iterator[str]:
    """A database that the test may migrate back and forth."""
    with postgres_server.database(f"dated_{os.getpid()}") as name:
        postgres.use(postgres_server.urls(name))
        yield name
    postgres.use(postgres_server.urls(database))


def test_what_was_cancelled_gets_the_time_when_its_units_came_back(own_database: str, postgres_server: Server) -> None:
    world = make_tenant("dated", "Dated")
    with rls.tenant_context(world.id):
        cup = product("CUP")
        returned, older = (sell(cup, 1, "2026-03-02", status=OrderStatus.CANCELLED) for _ in range(2))
        draft = Order.objects.create(
            number=90, status=OrderStatus.CANCELLED, created_at=moment("2026-03-04"), cancelled_at=moment("2026-03-09")
        )
        StockMovement.objects.create(
            product=cup,
            quantity=1,
            stock_after=11,
            reason="return",
            order=returned,
            actor="x",
            created_at=moment("2026-03-05"),
        )

    call_command("migrate", *MIGRATION.dependencies[0], verbosity=0)
    with psycopg.connect(postgres_server.admin_url, dbname=own_database) as admin:
        columns = admin.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'core_order'::regclass AND NOT attisdropped"
        ).fetchall()
    call_command("migrate", verbosity=0)

    with rls.tenant_context(world.id):
        times: dict[int, datetime | None] = dict(Order.objects.values_list("number", "cancelled_at"))
    assert {("cancelled_at",), ("listed_at",)}.isdisjoint(columns)
    assert (times[returned.number], times[older.number], times[draft.number]) == (
        moment("2026-03-05"),
        moment("2026-03-02"),
        moment("2026-03-04"),
    )
    assert times[1] is None
