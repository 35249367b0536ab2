"""What a stream hears, in process: whatever its tables are called, and whatever fails meanwhile."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from mcp.server.connection import Connection
from mcp_types import SubscribeRequestParams
from psycopg import AsyncConnection

from core.models import Product, Tenant
from core.scopes import Scope
from mcp_server.declare import registry
from mcp_server.http.context import boundary, serving_stdio
from mcp_server.principals import Principal
from mcp_server.watch.feed import ChangeFeed, RowChange, Watch
from mcp_server.watch.sessions import WATCHER_KEY, SessionSubscriptions, SessionWatcher
from mcp_server.watch.subscriptions import Stream
from mcp_server.watch.watchers import Watchers
from tests.support.servers import shop
from tests.support.world import World

CHANGE = "UPDATE core_product SET stock = stock + 1 WHERE tenant_id = %s"
# How projects name a schema to Django.
NAMES = ["core_{0}", '"public"."core_{0}"', 'public"."core_{0}', '"core_{0}"']


async def nobody() -> Principal | None:
    """Who may act no more."""
    return None


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_a_stream_ends_when_the_tenant_is_changed_whatever_schema_it_is_in(
    name: str, acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tenant._meta, "db_table", name.format("tenant"))
    stream = Stream(Principal("tests", acme.id, "acme", id="tests"), nobody)

    await stream.hear(RowChange(acme.id, "core_tenant", frozenset({acme.id})))

    assert stream.is_ended


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("table", "is_heard"), [("core_product", True), ("core_order", False)])
async def test_a_row_is_watched_whatever_schema_it_is_in(name: str, table: str, is_heard: bool, acme: World) -> None:
    stream = Stream(Principal("tests", acme.id, "acme", id="tests"), nobody)
    stream.rows = {"product://A-1": frozenset({(name.format("product"), acme.product_id)})}

    await stream.hear(RowChange(acme.id, table, frozenset({acme.product_id})))

    # Whoever hears of it is asked whether he still may, and he may not.
    assert stream.is_ended == is_heard


class Outbound:
    """What a session sends to its client, who reads from a moment on."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.told: asyncio.Queue[str] = asyncio.Queue()

    async def send_raw_request(self, method: str, params: Any, opts: Any = None) -> dict[str, Any]:
        raise NotImplementedError

    async def notify(self, method: str, params: Any, opts: Any = None) -> None:
        await self.reads.wait()
        self.told.put_nowait(params["uri"])


def session(world: World, outbound: Outbound, *uris: str) -> SessionWatcher:
    principal = Principal("tests", world.id, "acme", id="tests")

    async def still() -> Principal:
        return principal

    watcher = SessionWatcher(Connection.for_loop(outbound), principal, still)
    watcher.rows = dict.fromkeys(uris, frozenset({("core_product", None)}))
    return watcher


@pytest.mark.anyio
async def test_a_client_that_does_not_read_keeps_nobody_from_hearing(acme: World) -> None:
    silent, other, watch = Outbound(), Outbound(), Watch()
    for outbound in (silent, other):
        watch.listeners[outbound] = session(acme, outbound, "product://A-1").hear
    other.reads.set()

    async with asyncio.timeout(60):
        for _ in range(3):
            await watch.tell(RowChange(acme.id, "core_product", None))
            assert await other.told.get() == "product://A-1"

    # What has changed meanwhile is told once, beside what was being sent.
    silent.reads.set()
    assert [await silent.told.get() for _ in range(2)] == ["product://A-1"] * 2
    await asyncio.sleep(0)
    assert silent.told.empty()


@pytest.mark.anyio
async def test_what_is_left_while_a_client_does_not_read_is_not_told(acme: World) -> None:
    outbound = Outbound()
    watcher = session(acme, outbound, "product://A-1", "product://A-2", "product://A-3")
    await watcher.hear(RowChange(acme.id, "core_product", None))
    await asyncio.sleep(0)

    watcher.forget("product://A-2")
    outbound.reads.set()

    assert [await outbound.told.get() for _ in range(2)] == ["product://A-1", "product://A-3"]
    await watcher.leave()
    await watcher.hear(None)
    assert outbound.told.empty()


@pytest.mark.anyio
async def test_what_is_watched_in_a_session_is_watched_with_the_newest_token(acme: World) -> None:
    """The one before has ended by then, and had other scopes."""
    outbound, feed = Outbound(), ChangeFeed()
    connection, subscriptions = Connection.for_loop(outbound), SessionSubscriptions(feed, Watchers())
    outbound.reads.set()

    async def subscribe(uri: str, *scopes: Scope) -> SessionWatcher:
        principal = Principal("tests", acme.id, acme.subdomain, id="tests", scopes=frozenset(scopes))

        async def call_next(ctx: Any) -> None:
            with registry.serving(shop().registry().usable_by(principal)):
                await subscriptions.subscribe(ctx, SubscribeRequestParams(uri=uri))

        session = SimpleNamespace(_connection=connection, _request_outbound=None)
        ctx: Any = SimpleNamespace(session=session, request=None, params=None, meta=None)
        with serving_stdio(lambda: now.get(principal.scopes)):
            now[principal.scopes] = principal
            await boundary(ctx, call_next)
        watcher: SessionWatcher = connection.state[WATCHER_KEY]
        return watcher

    now: dict[frozenset[str], Principal] = {}
    await subscribe("order://1", Scope.ORDERS_READ)
    watcher = await subscribe("product://A-1", Scope.PRODUCTS_READ)
    del now[frozenset({Scope.ORDERS_READ})]
    await watcher.hear(None)

    assert await asyncio.wait_for(outbound.told.get(), 60) == "product://A-1"
    await watcher.leave()
    assert outbound.told.empty()


@pytest.mark.anyio
async def test_the_feed_goes_on_after_what_nobody_has_foreseen(
    acme: World, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect, failures = AsyncConnection.connect, [RuntimeError("no random numbers"), KeyError("password")]

    async def failing(**parameters: Any) -> Any:
        if failures:
            raise failures.pop()
        return await connect(**parameters)

    monkeypatch.setattr(AsyncConnection, "connect", failing)

    heard: asyncio.Queue[RowChange | None] = asyncio.Queue()
    async with ChangeFeed().subscribed(acme.id, heard.put):
        await asyncio.to_thread(admin.execute, CHANGE, [acme.id])
        change = await heard.get()

    assert change == RowChange(acme.id, Product._meta.db_table, frozenset({acme.product_id}))
    assert not failures
    assert {record.message for record in caplog.records} == {"changes are not heard for a while"}
    assert "KeyError: 'password'" in caplog.text


@pytest.mark.parametrize("times", [1, 2])
def test_the_socket_is_left_before_it_is_closed(times: int, acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    close, left = AsyncConnection.close, []

    async def closing(connection: AsyncConnection[Any]) -> None:
        left.append([task.get_coro() for task in asyncio.all_tasks() if "_heard" in str(task.get_coro())])
        await close(connection)

    async def story() -> None:
        feed, heard = ChangeFeed(), asyncio.Event()
        async with feed.subscribed(acme.id, lambda change: asyncio.sleep(0)):
            await asyncio.sleep(0)  # it waits for the socket now
            hearing = feed._task
            assert hearing is not None
            hearing.add_done_callback(lambda _: heard.set())
        for _ in range(1, times):
            hearing.cancel()
        await heard.wait()

    monkeypatch.setattr(AsyncConnection, "close", closing)

    asyncio.run(story())

    assert left == [[]]
