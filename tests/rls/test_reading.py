"""`rls.read_only()`: nothing can be written in it, whatever it stands in and whatever stands in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext

import pytest
from django.db import DatabaseError, InternalError, connection, connections, transaction

from core.models import Product, ProductTerm
from rls import IsolationError, WriteRefused, platform_context, read_only, tenant_context
from rls.backends import lost
from rls.context import PLATFORM_ALIAS
from tests.support.world import World


def locked() -> Product:
    with transaction.atomic():
        return Product.objects.select_for_update().get(sku="A-1")


# Each road of the cursor: with its prefix, alone, many.
WRITES: dict[str, Callable[[], object]] = {
    "update": lambda: Product.objects.update(stock=0),
    "create": lambda: Product.objects.create(sku="N-1", name="New", price_minor=1, currency="EUR"),
    "delete": lambda: ProductTerm.objects.all().delete(),
    "lock": lambda: locked(),
    "alone": lambda: connection.cursor().execute("UPDATE core_product SET name = 'a;b'"),
    "many": lambda: connection.cursor().executemany("UPDATE core_product SET stock = %s", [[0], [0]]),
    "on commit": lambda: transaction.on_commit(lambda: Product.objects.update(stock=0)),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("is_atomic", [False, True])
def test_a_write_is_refused_in_words(name: str, is_atomic: bool, acme: World) -> None:
    with tenant_context(acme.id):
        with (
            pytest.raises(WriteRefused, match="only reads") as refusal,
            read_only(),
            transaction.atomic() if is_atomic else nullcontext(),
        ):
            WRITES[name]()

        assert isinstance(refusal.value, InternalError)
        assert not lost.is_read_only(refusal.value)
        assert Product.objects.get().stock == 5


def test_what_stands_around_it_can_write_afterwards(acme: World) -> None:
    with tenant_context(acme.id), transaction.atomic():
        with read_only():
            assert Product.objects.get().stock == 5
        Product.objects.update(stock=7)

    with tenant_context(acme.id):
        assert Product.objects.get().stock == 7


def test_a_transaction_cannot_be_made_to_write_before_its_first_query(acme: World) -> None:
    with tenant_context(acme.id), pytest.raises(WriteRefused), read_only(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ WRITE")  # PostgreSQL lets it
        Product.objects.update(stock=0)


def test_after_a_query_postgresql_refuses_to_let_it_write(acme: World) -> None:
    with tenant_context(acme.id), read_only():
        with pytest.raises(DatabaseError, match="before any query"), transaction.atomic():
            Product.objects.get()
            connection.cursor().execute("SET TRANSACTION READ WRITE")


def test_it_follows_the_task_into_the_threads_of_the_async_orm(acme: World) -> None:
    async def story() -> None:
        async with tenant_context(acme.id):
            with read_only():
                await asyncio.gather(Product.objects.aget(), Product.objects.aupdate(stock=0))

    with pytest.raises(WriteRefused):
        asyncio.run(story())


@pytest.mark.parametrize("is_tenants", [False, True])
@pytest.mark.parametrize("statement", ["COMMENT ON TABLE core_product IS 'Sneaked'", "DELETE FROM auth_group"])
def test_the_owner_cannot_write_in_it_either(statement: str, is_tenants: bool, acme: World) -> None:
    with (
        tenant_context(acme.id) if is_tenants else nullcontext(),
        pytest.raises(DatabaseError, match=r"read-only transaction|only reads"),
        read_only(),
        connections["owner"].cursor() as cursor,
    ):
        cursor.execute(statement)


def test_platform_work_can_only_read_in_it_and_is_recorded(acme: World) -> None:
    with platform_context(actor="tests", reason="a test"):
        with pytest.raises(WriteRefused), read_only():
            Product.objects.using(PLATFORM_ALIAS).update(stock=0)
        Product.objects.using(PLATFORM_ALIAS).update(stock=8)

    with tenant_context(acme.id):
        assert Product.objects.get().stock == 8


def test_a_generator_cannot_open_it() -> None:
    def each() -> object:
        with read_only():
            yield

    with pytest.raises(IsolationError, match="is a generator"):
        list(each())  # type: ignore[call-overload]
