"""`subscriptions/listen`, through the official client and more than one process."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPError

from core.models import Product
from core.scopes import Scope
from rls import tenant_context
from tests.mcp_server.test_resources import narrow
from tests.support.processes import Process, connected, connected_over_stdio, serving
from tests.support.world import World

pytestmark = pytest.mark.slow

Change = Callable[..., None]

# For what is expected; what is not expected is shown by something that comes after it.
SOON = 120
PRODUCTS = "UPDATE core_product SET stock = stock + 1 WHERE tenant_id = %s"
ORDERS = "UPDATE core_order SET note = 'changed' WHERE tenant_id = %s"
SETTINGS = "UPDATE core_tenantsettings SET low_stock_threshold = 6 WHERE tenant_id = %s"
SUSPEND = "UPDATE core_tenant SET is_active = false WHERE id = %s"
REVOKE = "UPDATE mcp_tokens_apitoken SET revoked_at = now() WHERE tenant_id = %s"
MANY = (
    "INSERT INTO core_product"
    " (tenant_id, sku, name, description, category, price_minor, currency, stock, reorder_level,"
    " is_active, created_at)"
    " SELECT %s, 'B-' || n, 'B', '', '', 1, 'EUR', 0, 0, true, now() FROM generate_series(1, 101) AS n"
)
# The sessions of a process that watch anybody (mcp_server/sql/0002_watched_tenants.sql, Note [Nobody watches]).
LISTENERS = (
    "SELECT DISTINCT pid FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE application_name = %s"
    " AND locktype = 'advisory' AND classid = 1296257112 AND objid = 0 AND mode = 'ShareLock'"
)


@pytest.fixture(scope="module")
def other_server(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A second process on the same database, as a second worker is."""
    with serving(tmp_path_factory.mktemp("other") / "log") as process:
        yield process


class Watcher:
    """A client that listens."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack

    async def listen(self, server: Process, world: World, *uris: str, token: str = "") -> Any:
        client = await self.stack.enter_async_context(connected(server.mcp(world.subdomain), token or world.token))
        return await self.stack.enter_async_context(client.listen(resource_subscriptions=uris))


async def next_uri(subscription: Any) -> str:
    event = await asyncio.wait_for(anext(subscription), SOON)
    assert isinstance(event, ResourceUpdated)
    return event.uri


async def ended(subscription: Any) -> bool:
    """Whether the server ends the stream, and gracefully."""
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(subscription), SOON)
    return True


@pytest.fixture
def change(admin: psycopg.Connection) -> Change:
    """Changes a tenant's rows from outside, in SQL whose parameter is the tenant."""

    def execute(world: World, statement: str = PRODUCTS) -> None:
        admin.execute(statement, [world.id])

    return execute


@pytest.mark.anyio
async def test_a_change_in_one_process_is_heard_in_another(
    server: Process, other_server: Process, acme: World, globex: World
) -> None:
    async with AsyncExitStack() as stack:
        watcher = Watcher(stack)
        here = await watcher.listen(server, acme, "product://A-1")
        there = await watcher.listen(other_server, acme, "product://A-1", "order://1")
        assert here.honored.resource_subscriptions == ["product://A-1"]
        async with connected(server.mcp("acme"), acme.token) as client:
            arguments = {"sku": "A-1", "quantity": 3, "reason": "purchase"}
            assert not (await client.call_tool("adjust_stock", arguments)).is_error

        assert await next_uri(here) == await next_uri(there) == "product://A-1"


@pytest.mark.anyio
async def test_nothing_of_another_tenant_is_heard(
    server: Process, other_server: Process, acme: World, globex: World, change: Change
) -> None:
    everything = ["product://A-1", "order://1", "tenant://info", "report://sales/today"]

    async with AsyncExitStack() as stack:
        watcher = Watcher(stack)
        streams = [await watcher.listen(each, globex, *everything) for each in (server, other_server)]
        change(acme)
        change(acme, ORDERS)
        change(acme, SETTINGS)
        # The first thing that arrives is the stream's own.
        change(globex)
        for stream in streams:
            assert await next_uri(stream) == "product://A-1"


def test_only_what_the_tenant_has_can_be_watched(server: Process, acme: World, globex: World) -> None:
    with tenant_context(globex.id):
        Product.objects.create(sku="G-1", name="Gadget", price_minor=1, currency="EUR")
    wanted = ["product://G-1", "product://A-1", "order://2", "tenant://schema", "export://x", "file:///etc/passwd", ""]

    async def story() -> Any:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(connected(server.mcp("acme"), acme.token))
            listening = client.listen(
                resource_subscriptions=wanted,
                tools_list_changed=True,
                prompts_list_changed=True,
                resources_list_changed=True,
            )
            return (await stack.enter_async_context(listening)).honored.model_dump(exclude_none=True)

    assert asyncio.run(story()) == {"resource_subscriptions": ["product://A-1"]}


def test_only_what_the_token_may_read_can_be_watched(server: Process, acme: World) -> None:
    token = narrow(acme, Scope.ORDERS_READ)

    async def story() -> Any:
        async with AsyncExitStack() as stack:
            stream = await Watcher(stack).listen(server, acme, "product://A-1", "order://1", token=token)
            return stream.honored.resource_subscriptions

    assert asyncio.run(story()) == ["order://1"]


@pytest.mark.anyio
async def test_each_resource_hears_of_what_it_is_made_of(server: Process, acme: World, change: Change) -> None:
    async with AsyncExitStack() as stack:
        uris = ["product://A-1", "order://1", "tenant://info", "report://sales/today"]
        stream = await Watcher(stack).listen(server, acme, *uris)
        change(acme)
        assert await next_uri(stream) == "product://A-1"
        change(acme, ORDERS)
        assert {await next_uri(stream), await next_uri(stream)} == {"order://1", "report://sales/today"}
        change(acme, SETTINGS)
        assert await next_uri(stream) == "tenant://info"
        change(acme, MANY)
        assert await next_uri(stream) == "product://A-1"  # so many rows are not named


@pytest.mark.anyio
async def test_a_stream_ends_when_its_tenant_is_suspended(server: Process, acme: World, change: Change) -> None:
    async with AsyncExitStack() as stack:
        stream = await Watcher(stack).listen(server, acme, "product://A-1")
        change(acme, SUSPEND)

        assert await ended(stream)


@pytest.mark.anyio
async def test_a_stream_of_a_revoked_token_ends_and_says_nothing(
    server: Process, acme: World, admin: psycopg.Connection, change: Change
) -> None:
    async with AsyncExitStack() as stack:
        stream = await Watcher(stack).listen(server, acme, "product://A-1")
        change(acme, REVOKE)
        change(acme)

        assert await ended(stream)


@pytest.mark.anyio
async def test_a_listener_hears_again_after_the_database_was_gone(
    server: Process, acme: World, admin: psycopg.Connection, change: Change
) -> None:
    async with AsyncExitStack() as stack:
        stream = await Watcher(stack).listen(server, acme, "product://A-1")
        ended = admin.execute(f"SELECT count(pg_terminate_backend(pid, 5000)) FROM ({LISTENERS}) AS s", [server.name])
        assert ended.fetchone() == (1,)

        # What may have been missed counts as a change.
        assert await next_uri(stream) == "product://A-1"
        change(acme)
        assert await next_uri(stream) == "product://A-1"


@pytest.mark.anyio
async def test_a_process_listens_while_somebody_does(server: Process, acme: World, admin: psycopg.Connection) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await Watcher(stack).listen(server, acme, "product://A-1")
        found = len(admin.execute(LISTENERS, [server.name]).fetchall())

    assert found == 1
    until_none_listens(admin, server)


def until_none_listens(admin: psycopg.Connection, server: Process) -> None:
    deadline = time.monotonic() + SOON
    while admin.execute(LISTENERS, [server.name]).fetchall():
        assert time.monotonic() < deadline, "the process still listens"
        time.sleep(0.05)


@pytest.mark.anyio
async def test_a_tenant_has_so_many_streams_and_no_more(server: Process, acme: World, globex: World) -> None:
    async with AsyncExitStack() as stack:
        watcher = Watcher(stack)
        for _ in range(20):
            await watcher.listen(server, acme, "product://A-1")
        await watcher.listen(server, globex, "product://A-1")
        async with connected(server.mcp("acme"), acme.token) as client:
            with pytest.raises(MCPError) as refusal:
                async with client.listen(resource_subscriptions=["product://A-1"]):
                    pass
            found = refusal.value.error.message

    assert found == "Too many subscription streams are open. Close one, or subscribe again later."


@pytest.mark.anyio
async def test_so_many_uris_and_no_more(server: Process, acme: World) -> None:
    async with connected(server.mcp("acme"), acme.token) as client:
        with pytest.raises(MCPError) as refusal:
            async with client.listen(resource_subscriptions=[f"product://{n}" for n in range(101)]):
                pass
        found = refusal.value.error.message

    assert found == "A subscription can watch at most 100 URIs."


@pytest.mark.anyio
async def test_a_stream_does_not_last_for_ever(database: str, acme: World, tmp_path: Path) -> None:
    with serving(tmp_path / "log", app="tests.shop.brief:app") as server:
        async with AsyncExitStack() as stack:
            assert await ended(await Watcher(stack).listen(server, acme, "product://A-1"))


@pytest.mark.anyio
async def test_a_server_that_is_stopped_ends_its_streams(database: str, acme: World, tmp_path: Path) -> None:
    with serving(tmp_path / "log") as server:  # which waits for its end
        async with AsyncExitStack() as stack:
            stream = await Watcher(stack).listen(server, acme, "product://A-1")
            os.kill(server.pid, signal.SIGTERM)

            assert await ended(stream)


@pytest.mark.anyio
async def test_stdio_listens_too(acme: World, globex: World, change: Change) -> None:
    async with connected_over_stdio("acme") as client:
        async with client.listen(resource_subscriptions=["product://A-1"]) as stream:
            change(globex)
            change(acme)

            assert await next_uri(stream) == "product://A-1"
