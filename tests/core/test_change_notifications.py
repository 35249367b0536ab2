"""What the triggers of Announce send, heard as any role hears it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection, transaction

from core.models import Customer, Order, Product, Tenant, TenantSettings
from rls import tenant_context
from tests.support.postgres import Server
from tests.support.world import World, working


@pytest.fixture
def heard(acme: World, globex: World, postgres_server: Server, database: str) -> Iterator[psycopg.Connection]:
    """A connection of the platform that listens, and watches both tenants."""
    url = postgres_server.url(database, "app_platform")
    with psycopg.connect(url, autocommit=True) as listening:
        listening.execute("LISTEN tenant_changes")
        listening.execute("SELECT app.watch_tenants(%s)", [[acme.id, globex.id]])
        yield listening


def messages(listening: psycopg.Connection) -> list[str]:
    """What was committed before now."""
    listening.execute("SELECT 1")
    return [notify.payload for notify in listening.notifies(timeout=0)]


def products(count: int) -> list[Product]:
    return [Product(sku=f"N-{number}", name="New", price_minor=1, currency="EUR") for number in range(count)]


def test_each_statement_says_which_rows_it_has_changed(acme: World, heard: psycopg.Connection) -> None:
    with tenant_context(acme.id):
        created = Product.objects.create(sku="B-1", name="Bell", price_minor=1, currency="EUR")
        Product.objects.filter(id=created.id).update(stock=2)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM core_product WHERE id = %s", [created.id])
        Order.objects.filter(id=acme.order_id).update(note="changed")
        TenantSettings.objects.update(low_stock_threshold=6)
        settings = TenantSettings.objects.get()

    # The middle ones are equal, and of different transactions.
    assert messages(heard) == [
        *[f"{acme.id} core_product {created.id}"] * 3,
        f"{acme.id} core_order {acme.order_id}",
        f"{acme.id} core_tenantsettings {settings.id}",
    ]


def test_a_statement_that_changes_nothing_says_nothing(acme: World, heard: psycopg.Connection) -> None:
    with tenant_context(acme.id):
        Product.objects.filter(sku="nothing").update(stock=1)
        Product.objects.filter(sku="nothing").delete()
        Customer.objects.update(name="Somebody")

    assert messages(heard) == []


def test_what_is_rolled_back_is_not_said(acme: World, heard: psycopg.Connection) -> None:
    with tenant_context(acme.id), transaction.atomic():
        Product.objects.update(stock=9)
        transaction.set_rollback(True)

    assert messages(heard) == []


def test_many_rows_are_one_short_message(acme: World, heard: psycopg.Connection) -> None:
    with tenant_context(acme.id):
        named = Product.objects.bulk_create(products(99))
        Product.objects.filter(sku__startswith="N-").update(stock=1)
        Product.objects.bulk_create([Product(sku="last", name="Last", price_minor=1, currency="EUR")])
        Product.objects.update(stock=2)

    created, updated, _last, all_of_them = messages(heard)
    assert (
        set(created.split()[2].split(","))
        == set(updated.split()[2].split(","))
        == {str(product.id) for product in named}
    )
    assert all_of_them == f"{acme.id} core_product *"
    assert len(created) < 8000  # what a payload may have


def test_a_statement_on_two_tenants_sends_each_its_own(acme: World, globex: World, heard: psycopg.Connection) -> None:
    with working():
        Product.objects.update(stock=3)
        Tenant.objects.filter(subdomain="acme").update(name="Acme & Sons")

    assert sorted(messages(heard)) == sorted(
        [
            f"{acme.id} core_product {acme.product_id}",
            f"{globex.id} core_product {globex.product_id}",
            f"{acme.id} core_tenant {acme.id}",
        ]
    )
