"""Case 36: what an export holds, what a deletion leaves, and what a suspension shuts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import astuple
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections
from mcp import Client
from mcp.shared.exceptions import MCPError

import rls
from core.models import Product, Tenant
from core.services import tenants
from mcp_server.tokens.models import ApiToken
from rls import tenant_context, tenanted_task
from rls.models import Tenanted
from tests.isolation.test_mcp_endpoint import CALL, INITIALIZE, first_data, http, open_session
from tests.support.held import until_principals_are_forgotten
from tests.support.processes import Process, connected_over_stdio
from tests.support.world import World, working

pytestmark = pytest.mark.slow

TENANTED = [model for model in apps.get_models() if issubclass(model, Tenanted)]
ROOTED = {f"public.{model._meta.db_table}": model for model in (Tenant, *TENANTED)}


def test_an_export_is_exactly_the_rows_of_its_tenant(acme: World, globex: World, admin: psycopg.Connection) -> None:
    tables = admin.execute("SELECT name, tenant_column FROM app.tenanted_tables").fetchall()
    assert {name for name, _ in tables} == ROOTED.keys()

    for name, column in tables:
        rows = f"SELECT id, to_jsonb(t)::text FROM {name} AS t ORDER BY id"
        everybodys = admin.execute(rows).fetchall()
        owners = dict(admin.execute(f"SELECT id, {column} FROM {name}").fetchall())
        acmes = [row for row in everybodys if owners[row[0]] == acme.id]
        assert 0 < len(acmes) < len(everybodys)
        with tenant_context(acme.id), connection.cursor() as cursor:
            if ROOTED[name] is ApiToken:  # the platform's to manage
                with pytest.raises(DatabaseError, match="permission denied"):
                    cursor.execute(rows)
                continue
            cursor.execute(rows)
            assert cursor.fetchall() == acmes
            exported = ROOTED[name].objects.order_by("id").iterator()
            assert [row.pk for row in exported] == [key for key, _ in acmes]


def rows_with(admin: psycopg.Connection, world: World) -> dict[str, list[str]]:
    """Every row of the database, of whatever table, that holds an id of this world or the name of its tenant."""
    tables = admin.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p')"
        " AND relnamespace IN ('public'::regnamespace, 'app'::regnamespace)"
    ).fetchall()
    ids = "|".join(map(str, astuple(world)))
    found = {
        table: [
            row for (row,) in admin.execute(f"SELECT t::text FROM {table} AS t WHERE t::text ~ %s ORDER BY 1", [ids])
        ]
        for (table,) in tables
    }
    return {table: rows for table, rows in found.items() if rows}


def test_a_deleted_tenant_leaves_nothing_and_takes_nothing_along(
    acme: World, globex: World, admin: psycopg.Connection
) -> None:
    of_globex = rows_with(admin, globex)
    assert len(rows_with(admin, acme)) == len(ROOTED)

    with working():
        deleted = tenants.delete("acme")

    assert set(deleted) == {model._meta.label for model in ROOTED.values()}
    assert rows_with(admin, acme) == {}
    # Not the same: a record of a call of an earlier test may have come in the meantime.
    left = rows_with(admin, globex)
    assert [row for table, rows in of_globex.items() for row in rows if row not in left.get(table, [])] == []


@tenanted_task
def count() -> int:
    return Product.objects.count()


def set_active(active: bool) -> None:
    with working():
        tenants.set_active("acme", active=active)


def enter(tenant_id: UUID) -> None:
    with tenant_context(tenant_id):
        pytest.fail("entered")


async def aenter(tenant_id: UUID) -> None:
    async with tenant_context(tenant_id):
        pytest.fail("entered")


INSIDE: list[Callable[[World, str], object]] = [
    lambda world, envelope: enter(world.id),
    lambda world, envelope: asyncio.run(aenter(world.id)),
    lambda world, envelope: count(envelope),
    lambda world, envelope: call_command("psql", tenant="acme"),
    lambda world, envelope: call_command("mcp", "stdio", "--tenant", "acme"),
]


@pytest.mark.parametrize("use", INSIDE)
def test_a_suspended_tenant_is_refused_inside(use: Callable[[World, str], object], acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        envelope = count.seal()

    set_active(False)
    with pytest.raises((rls.TenantSuspended, CommandError), match=r"suspended|no active tenant"):
        use(acme, envelope)
    with tenant_context(globex.id):
        assert Product.objects.count() == 1

    set_active(True)
    assert count(envelope) == 1


@pytest.mark.parametrize("process", ["server", "stateful_server"])
def test_a_suspended_tenant_is_refused_at_every_door(
    process: str, request: pytest.FixtureRequest, acme: World, globex: World
) -> None:
    running: Process = request.getfixturevalue(process)
    modern = {"MCP-Protocol-Version": "2026-07-28"}
    session = {"Mcp-Session-Id": open_session(running, acme)} if process == "stateful_server" else {}
    views = ("info", "products", "products.csv", "orders")

    def answers(world: World, session: dict[str, str]) -> set[int]:
        at = running.mcp(world.subdomain)
        with http(world.token) as client:
            return {
                *(client.get(f"{running.url}/t/{world.subdomain}/api/{view}").status_code for view in views),
                *(client.post(at, json=INITIALIZE, headers=headers).status_code for headers in ({}, modern)),
                client.post(at, json=CALL, headers=session).status_code,
            }

    before = answers(acme, session)
    set_active(False)
    until_principals_are_forgotten()
    suspended, of_globex = answers(acme, session), answers(globex, {})
    set_active(True)

    assert suspended == {401}
    assert 401 not in before | of_globex
    assert answers(acme, session) == before


def test_an_open_stream_of_a_suspended_tenant_takes_no_message(stateful_server: Process, acme: World) -> None:
    at = stateful_server.mcp("acme")

    async def story() -> list[int]:
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {acme.token}"}, timeout=300) as client:
            async with client.stream("GET", at + "sse") as stream:
                lines = stream.aiter_lines()
                url = stateful_server.url + await first_data(lines)
                statuses = []
                for active in (True, False, True):
                    await asyncio.to_thread(switch, active)
                    await asyncio.to_thread(until_principals_are_forgotten)
                    statuses.append((await client.post(url, json=INITIALIZE)).status_code)
                return statuses

    assert asyncio.run(story()) == [202, 401, 202]


def switch(active: bool) -> None:
    try:
        set_active(active)
    finally:
        connections.close_all()


def test_a_running_stdio_server_of_a_suspended_tenant_refuses(acme: World) -> None:
    async def story() -> list[Any]:
        async with connected_over_stdio("acme") as client:
            answers = []
            for active in (True, False, True):
                await asyncio.to_thread(switch, active)
                answers.append(await answer(client))
            return answers

    assert asyncio.run(story()) == ["Acme anvil", "Authentication required", "Acme anvil"]


async def answer(client: Client) -> str:
    try:
        return str((await client.call_tool("shop_names", {})).content[0].text)
    except MCPError as error:
        return str(error)
