"""What is announced is what somebody watches, and nothing of it is lost: `app.watch_tenants` and the change feed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection, transaction

from core.models import Product
from mcp_server.watch import feed
from mcp_server.watch.feed import ChangeFeed, RowChange, merged
from rls import tenant_context
from tests.support.postgres import Server
from tests.support.world import World, working

SOON = 120
CHANGE = "UPDATE core_product SET stock = stock + 1 WHERE tenant_id = %s"
WAITERS = (
    "SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 1296257112 AND objid = 1 AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

Heard = asyncio.Queue[RowChange | None]


@pytest.fixture
def platform(postgres_server: Server, database: str) -> Iterator[psycopg.Connection]:
    """A session of app_platform that listens, and watches nobody yet."""
    with psycopg.connect(postgres_server.url(database, "app_platform"), autocommit=True) as session:
        session.execute("LISTEN tenant_changes")
        yield session


def watch(session: psycopg.Connection, *worlds: World) -> None:
    ids = [world.id for world in worlds]
    assert {row[0] for row in session.execute("SELECT app.watch_tenants(%s)", [ids])} == set(ids)


def unwatch(session: psycopg.Connection, *worlds: World) -> None:
    session.execute("SELECT app.unwatch_tenants(%s)", [[world.id for world in worlds]])


def tenants_heard(session: psycopg.Connection) -> list[UUID]:
    """Whose changes were announced before now, each once."""
    session.execute("SELECT 1")
    return sorted({UUID(notify.payload.partition(" ")[0]) for notify in session.notifies(timeout=0)})


def sell(*worlds: World) -> None:
    """A change of each of these tenants, in its context."""
    for world in worlds:
        with tenant_context(world.id):
            Product.objects.update(stock=7)


def across(*worlds: World) -> None:
    """The same across tenants, where no tenant is set."""
    with working():
        Product.objects.filter(tenant__in=[world.id for world in worlds]).update(stock=8)


WRITERS = [sell, across]


@pytest.mark.parametrize("write", WRITERS)
def test_what_nobody_watches_is_not_announced(
    write: Callable[..., None], acme: World, globex: World, platform: psycopg.Connection
) -> None:
    write(acme, globex)

    assert tenants_heard(platform) == []


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_watched_is_announced_and_what_another_has_is_not(
    write: Callable[..., None], acme: World, globex: World, platform: psycopg.Connection
) -> None:
    watch(platform, acme)

    write(acme, globex)

    assert tenants_heard(platform) == [acme.id]


def test_a_tenant_is_watched_as_long_as_one_session_watches_it(
    acme: World, platform: psycopg.Connection, postgres_server: Server, database: str
) -> None:
    watch(platform, acme)
    with psycopg.connect(postgres_server.url(database, "app_platform"), autocommit=True) as other:
        watch(other, acme)
        unwatch(platform, acme)
        sell(acme)
        assert tenants_heard(platform) == [acme.id]

        unwatch(other, acme)
        sell(acme)
        assert tenants_heard(platform) == []


def test_to_watch_twice_is_taken_back_twice(acme: World, platform: psycopg.Connection) -> None:
    watch(platform, acme)
    watch(platform, acme)
    unwatch(platform, acme)
    sell(acme)
    assert tenants_heard(platform) == [acme.id]

    unwatch(platform, acme)
    sell(acme)
    assert tenants_heard(platform) == []


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_transaction_that_began_before_announces_what_it_changes_after(
    isolation: str, acme: World, platform: psycopg.Connection, admin: psycopg.Connection
) -> None:
    with admin.transaction():
        admin.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
        admin.execute(CHANGE, [acme.id])
        watch(platform, acme)
        admin.execute(CHANGE, [acme.id])

    assert tenants_heard(platform) == [acme.id]


def test_whoever_has_said_nothing_is_waited_for(
    acme: World, platform: psycopg.Connection, admin: psycopg.Connection
) -> None:
    with admin.transaction():
        admin.execute(CHANGE, [acme.id])
        watch(platform, acme)
        assert has_waited(platform) is False

    assert tenants_heard(platform) == []
    assert has_waited(platform) is True


def test_what_was_rolled_back_to_a_savepoint_is_not_waited_for(
    acme: World, platform: psycopg.Connection, admin: psycopg.Connection
) -> None:
    with admin.transaction():
        with admin.transaction() as inner:
            admin.execute(CHANGE, [acme.id])
            raise psycopg.Rollback(inner)
        assert has_waited(platform) is True


def test_while_somebody_waits_everything_is_announced(
    acme: World, globex: World, platform: psycopg.Connection, admin: psycopg.Connection
) -> None:
    """Otherwise those who begin meanwhile would be waited for too, and a waiter would never have its turn."""
    with admin.transaction():
        admin.execute(CHANGE, [acme.id])
        with waiting_for_writers(admin):
            sell(globex)

        assert tenants_heard(platform) == [globex.id]


def has_waited(session: psycopg.Connection) -> bool:
    row = session.execute("SELECT app.await_writers()").fetchone()
    assert row is not None
    return bool(row[0])


@contextmanager
def waiting_for_writers(admin: psycopg.Connection) -> Iterator[None]:
    """Another session waits within the block, as app.await_writers() does, and without its limit."""
    with session_of(admin) as waiter, session_of(admin) as look:
        thread = threading.Thread(target=wait_in_vain, args=[waiter])
        thread.start()
        while look.execute(WAITERS).fetchone() is None:
            pass
        try:
            yield
        finally:
            look.execute("SELECT pg_cancel_backend(%s)", [waiter.info.backend_pid])
            thread.join()


def wait_in_vain(session: psycopg.Connection) -> None:
    with suppress(psycopg.errors.QueryCanceled):
        session.execute("SELECT pg_advisory_xact_lock(1296257112, 1)")


def session_of(admin: psycopg.Connection) -> psycopg.Connection:
    """Another session of the superuser."""
    return psycopg.connect(admin.info.dsn, password=admin.info.password, autocommit=True)


def test_nobody_watches_after_the_session_has_gone(
    acme: World, platform: psycopg.Connection, admin: psycopg.Connection, postgres_server: Server, database: str
) -> None:
    with psycopg.connect(postgres_server.url(database, "app_platform"), autocommit=True) as session:
        watch(session, acme)
        pid = session.info.backend_pid
    while admin.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone() is not None:
        pass

    sell(acme)

    assert tenants_heard(platform) == []


def test_a_trigger_keeps_no_lock_of_the_session(acme: World, platform: psycopg.Connection) -> None:
    """On a pooled connection it would outlive the request, and everybody would send for good."""
    watch(platform, acme)
    with tenant_context(acme.id), transaction.atomic():
        Product.objects.update(stock=7)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_unlock(1296257112, 0), pg_advisory_unlock(1296257111, uuid_hash(%s))", [acme.id]
            )
            assert cursor.fetchone() == (False, False)


# The feed of a process.


def stock_of(world: World, admin: psycopg.Connection) -> int:
    row = admin.execute("SELECT stock FROM core_product WHERE id = %s", [world.product_id]).fetchone()
    assert row is not None
    return int(row[0])


async def soon(awaitable: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(awaitable, SOON)


@pytest.mark.anyio
async def test_a_change_that_is_under_way_when_somebody_begins_to_listen_is_told(
    acme: World, admin: psycopg.Connection
) -> None:
    # Some may have been missed.
    heard: Heard = asyncio.Queue()
    with admin.transaction():
        admin.execute(CHANGE, [acme.id])
        listening = ChangeFeed().subscribed(acme.id, heard.put)
        await listening.__aenter__()
        assert heard.empty()
    told: RowChange | None = await soon(heard.get())
    await listening.__aexit__(None, None, None)
    found = told

    assert found is None


@pytest.mark.anyio
async def test_whoever_waits_for_the_same_tenant_again_is_let_in(acme: World, admin: psycopg.Connection) -> None:
    changes, heard = ChangeFeed(), Heard()
    async with changes.subscribed(acme.id, Heard().put):
        pass
    async with changes.subscribed(acme.id, heard.put):
        await asyncio.to_thread(admin.execute, CHANGE, [acme.id])
        assert await soon(heard.get()) == change_of(acme)


def change_of(world: World) -> RowChange:
    return RowChange(world.id, "core_product", frozenset({world.product_id}))


@pytest.mark.anyio
async def test_each_listener_hears_of_its_own_tenant_alone(
    acme: World, globex: World, admin: psycopg.Connection
) -> None:
    changes, mine, theirs = ChangeFeed(), Heard(), Heard()
    async with changes.subscribed(acme.id, mine.put), changes.subscribed(globex.id, theirs.put):
        await asyncio.to_thread(admin.execute, CHANGE, [acme.id])
        await asyncio.to_thread(admin.execute, CHANGE, [globex.id])
        assert await soon(theirs.get()) == change_of(globex)
        assert await soon(mine.get()) == change_of(acme)


@pytest.mark.anyio
async def test_two_processes_hear_whichever_ends_first(acme: World, admin: psycopg.Connection) -> None:
    heard: Heard = asyncio.Queue()
    async with ChangeFeed().subscribed(acme.id, heard.put):
        async with ChangeFeed().subscribed(acme.id, Heard().put):
            pass
        await asyncio.to_thread(admin.execute, CHANGE, [acme.id])
        assert await soon(heard.get()) == change_of(acme)


@pytest.mark.anyio
async def test_a_tenant_that_is_kept_from_watching_keeps_nobody_else(
    acme: World, globex: World, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that was injected can take the lock until its transaction ends."""

    changes, heard = ChangeFeed(), Heard()
    async with changes.subscribed(globex.id, heard.put):
        with admin.transaction():
            admin.execute("SELECT pg_advisory_xact_lock(1296257111, uuid_hash(%s))", [acme.id])
            monkeypatch.setattr(feed, "CONNECT_TIMEOUT", 0.5)
            with pytest.raises(TimeoutError):
                async with changes.subscribed(acme.id, Heard().put):
                    pass
            await asyncio.to_thread(sell, globex)
            assert await soon(heard.get()) == change_of(globex)
        monkeypatch.undo()
        async with changes.subscribed(acme.id, heard.put):
            await asyncio.to_thread(sell, acme)
            assert await soon(heard.get()) == change_of(acme)


@pytest.mark.anyio
async def test_nothing_is_lost_while_listeners_come_and_go_between_writers(
    acme: World, admin: psycopg.Connection
) -> None:
    """Each listener reads when it begins and whenever it is told, until it has read what the last writer left."""
    writers, each = 4, 40
    last = stock_of(acme, admin) + writers * each

    def write() -> None:
        with session_of(admin) as session:
            for _ in range(each):
                session.execute(CHANGE, [acme.id])

    async def listen(changes: ChangeFeed) -> None:
        heard: Heard = asyncio.Queue()
        async with changes.subscribed(acme.id, heard.put):
            while stock_of(acme, admin) != last:
                await soon(heard.get())

    feeds = [ChangeFeed(), ChangeFeed()]
    writing = [asyncio.create_task(asyncio.to_thread(write)) for _ in range(writers)]
    listening = []
    while not all(task.done() for task in writing):
        listening.append(asyncio.create_task(listen(feeds[len(listening) % 2])))
        async with ChangeFeed().subscribed(acme.id, Heard().put):
            pass
    await asyncio.gather(*writing, *listening)


def test_changes_that_come_together_are_told_as_one(acme: World, globex: World) -> None:
    one, other = UUID(int=1), UUID(int=2)

    assert merged(
        [
            RowChange(acme.id, "a", frozenset({one})),
            RowChange(globex.id, "a", frozenset({one})),
            RowChange(acme.id, "b", None),
            RowChange(acme.id, "a", frozenset({other})),
            RowChange(acme.id, "b", frozenset({one})),
        ]
    ) == [
        RowChange(acme.id, "a", frozenset({one, other})),
        RowChange(globex.id, "a", frozenset({one})),
        RowChange(acme.id, "b", None),
    ]
