"""Cases 14-20: when a context begins, ends, and where it follows.

Streamed bodies (18) are in tests/rls/test_middleware.py, PgBouncer (20) in test_pgbouncer.py, generators and
callbacks (40, 41) in test_blocks.py.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, connections, transaction

import rls
from core.models import Product
from rls import NoTenantContext, platform_context, tenant_context
from rls.errors import IsolationError, TenantRefused
from tests.support.world import World


def names() -> list[str]:
    return list(Product.objects.values_list("name", flat=True))


def backend_pid() -> int:
    connection.ensure_connection()
    return connection.connection.info.backend_pid


@pytest.mark.usefixtures("one_connection")
def test_a_pooled_connection_serves_one_after_the_other(acme: World, globex: World) -> None:
    pids = set()
    for world in (acme, globex, acme):
        with tenant_context(world.id):
            assert names() == [f"{world.name} anvil"]
            pids.add(backend_pid())
        connection.close()

    with pytest.raises(NoTenantContext):
        names()
    assert pids == {backend_pid()}


@pytest.mark.usefixtures("one_connection")
def test_two_threads_that_share_a_connection_are_never_crossed(acme: World, globex: World) -> None:
    def reads(world: World) -> tuple[set[str], set[int]]:
        seen, pids = set(), set()
        for _ in range(150):
            with tenant_context(world.id):
                seen.update(names())
                pids.add(backend_pid())
            with pytest.raises(NoTenantContext):
                names()
            connection.close()
        return seen, pids

    connection.close()  # this thread's own
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(reads, (acme, globex))

    assert (first[0], second[0]) == ({"Acme anvil"}, {"Globex anvil"})
    assert first[1] == second[1]
    assert len(first[1]) == 1


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), DatabaseError("mine"), KeyboardInterrupt("mine")])
def test_an_exception_ends_the_context_and_stays_itself(error: BaseException, acme: World) -> None:
    with pytest.raises(type(error)) as raised, tenant_context(acme.id):
        assert names() == ["Acme anvil"]
        raise error

    assert raised.value is error
    assert rls.current_tenant_id() is None


def test_a_statement_that_runs_into_its_timeout_leaves_nothing(acme: World) -> None:
    with (
        pytest.raises(DatabaseError, match="statement timeout"),
        tenant_context(acme.id),
        transaction.atomic(),
    ):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '20ms'")
            cursor.execute("SELECT pg_sleep(5)")

    with pytest.raises(NoTenantContext):
        names()
    connection.close()
    with tenant_context(acme.id):
        assert names() == ["Acme anvil"]


def test_a_killed_connection_is_an_error_and_then_a_new_one(
    acme: World, globex: World, admin: psycopg.Connection
) -> None:
    with tenant_context(acme.id):
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [backend_pid()])
        with pytest.raises(DatabaseError):
            names()
        connection.close()

        assert names() == ["Acme anvil"]
    with tenant_context(globex.id):
        assert names() == ["Globex anvil"]


def test_one_dead_connection_has_its_neighbours_looked_at(acme: World, admin: psycopg.Connection) -> None:
    def occupy() -> None:
        with tenant_context(acme.id):
            names()
            ready.wait(10)
        connections.close_all()

    ready = threading.Barrier(4)
    threads = [threading.Thread(target=occupy) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with tenant_context(acme.id):
        names()  # on the one that is found dead
    admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE usename = 'app_tenant' AND datname = current_database() AND application_name = ''"
    )

    with pytest.raises(DatabaseError), tenant_context(acme.id):
        names()
    connection.close()

    for _ in range(4):
        with tenant_context(acme.id):
            assert names() == ["Acme anvil"]
        connection.close()


def test_a_savepoint_rolled_back_keeps_the_context(acme: World, globex: World) -> None:
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            with tenant_context(globex.id):
                assert names() == ["Globex anvil"]
            raise ZeroDivisionError
        with tenant_context(acme.id):
            assert names() == ["Acme anvil"]
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
            assert names() == ["Acme anvil"]


def test_a_context_of_the_same_tenant_nests(acme: World) -> None:
    with tenant_context(acme.id):
        with tenant_context(acme.id):
            assert names() == ["Acme anvil"]
        assert names() == ["Acme anvil"]
        with pytest.raises(ZeroDivisionError), tenant_context(acme.id):
            raise ZeroDivisionError
        assert names() == ["Acme anvil"]
    assert rls.current_tenant_id() is None


def test_another_tenants_context_is_refused_inside_one(acme: World, globex: World) -> None:
    async def awaited() -> None:
        async with tenant_context(globex.id):
            pytest.fail("entered")

    with tenant_context(acme.id):
        with pytest.raises(TenantRefused, match="leave that one first"), tenant_context(globex.id):
            pytest.fail("entered")
        with pytest.raises(TenantRefused):
            asyncio.run(awaited())
        assert names() == ["Acme anvil"]


def test_a_context_decorates_functions(acme: World) -> None:
    @tenant_context(acme.id)
    def plain() -> list[str]:
        return names()

    @tenant_context(str(acme.id))
    async def coroutine() -> int:
        return await Product.objects.acount()

    assert plain() == ["Acme anvil"]
    assert asyncio.run(coroutine()) == 1
    assert rls.current_tenant_id() is None


def test_a_thread_without_a_context_says_so(acme: World) -> None:
    seen: list[str] = []

    def read() -> None:
        try:
            names()
        except NoTenantContext as error:
            seen.append(str(error))
        finally:
            connections.close_all()

    with tenant_context(acme.id):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()

    assert "no tenant context is open" in seen[0]


def test_a_connection_that_the_context_did_not_open_on_says_so(acme: World) -> None:
    with tenant_context(acme.id), psycopg.connect(os.environ["DATABASE_URL"]) as other:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no tenant context is open"):
            other.execute("SELECT name FROM core_product")
        with pytest.raises(rls.NoPlatformContext):
            Product.objects.using("platform").count()


def test_threads_and_tasks_are_never_crossed(acme: World, globex: World) -> None:
    def returning() -> list[str]:
        try:
            return names()
        finally:
            connections.close_all()

    async def calls(world: World) -> set[str]:
        seen: set[str] = set()
        async with tenant_context(world.id):
            for _ in range(25):
                seen.update([product.name async for product in Product.objects.all()])
                seen.update(await sync_to_async(names)())
                seen.update(await sync_to_async(returning, thread_sensitive=False)())
                seen.update(await asyncio.to_thread(returning))
                await asyncio.sleep(0)
        return seen

    async def both() -> list[set[str]]:
        return await asyncio.gather(calls(acme), calls(globex), calls(acme), calls(globex))

    assert asyncio.run(both()) == [{"Acme anvil"}, {"Globex anvil"}] * 2


def test_leaving_contexts_out_of_order_is_an_error(acme: World) -> None:
    outer, inner = tenant_context(acme.id), tenant_context(acme.id)
    outer.__enter__()
    inner.__enter__()

    for context in (outer, inner):
        with pytest.raises(IsolationError, match="another order"):
            context.__exit__(None, None, None)
        assert rls.current_tenant_id() is None


def test_one_context_object_serves_two_tasks(acme: World) -> None:
    context = tenant_context(acme.id)

    async def read() -> list[str]:
        async with context:
            await asyncio.sleep(0.01)
            return [product.name async for product in Product.objects.all()]

    async def both() -> list[list[str]]:
        return await asyncio.gather(read(), read())

    assert asyncio.run(both()) == [["Acme anvil"]] * 2
    assert rls.current_tenant_id() is None


def test_a_server_side_cursor_is_refused(acme: World) -> None:
    with tenant_context(acme.id), transaction.atomic():
        names()
        with pytest.raises(DatabaseError, match="server-side cursor"):
            connection.connection.cursor("named")


def test_tenant_and_platform_contexts_exclude_each_other(acme: World) -> None:
    with tenant_context(acme.id), pytest.raises(rls.PlatformRefused):
        with platform_context(actor="tests", reason="inside a tenant"):
            pytest.fail("entered")

    with platform_context(actor="tests", reason="around a tenant"), pytest.raises(rls.PlatformRefused):
        with tenant_context(acme.id):
            pytest.fail("entered")
