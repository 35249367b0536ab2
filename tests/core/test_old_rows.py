"""Rows of before a rule keep it after `migrate`: customers of one address become one, products are indexed again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command

from core.models import Customer, Order, Product, ProductTerm
from core.services import search
from rls import tenant_context
from tests.support.world import World

BEFORE = "0003"


@pytest.fixture
def before() -> Iterator[None]:
    """The database as it was before the rules; as it is now when the test ends."""
    call_command("migrate", "core", BEFORE, verbosity=0)
    yield
    call_command("migrate", verbosity=0)


def test_customers_of_one_address_become_the_oldest_with_all_orders(acme: World, globex: World, before: None) -> None:
    for world in (acme, globex):
        with tenant_context(world.id):
            for number, email in enumerate(
                ["WILE@acme.example\u200f", "wile@ＡＣＭＥ.example", "bip@xn--bcher-kva.example"], start=2
            ):
                twin = Customer.objects.create(email=email, name=f"Twin {number}", phone=f"0{number}")
                Order.objects.create(number=number, currency="EUR", customer=twin)
    with tenant_context(acme.id):
        Customer.objects.create(email="no address\u00ad", name="Bop")

    call_command("migrate", verbosity=0)

    with tenant_context(acme.id):
        wile = Customer.objects.get(email="wile@acme.example")
        assert (wile.name, wile.phone) == ("Wile E.", "02")
        assert sorted(wile.orders.values_list("number", flat=True)) == [1, 2, 3]
        assert sorted(Customer.objects.values_list("email", flat=True)) == [
            "bip@bücher.example",
            "noaddress",
            "wile@acme.example",
        ]
    with tenant_context(globex.id):
        assert Order.objects.filter(customer__isnull=False).count() == 4
        assert Customer.objects.filter(email="wile@acme.example").count() == 1


def test_products_are_indexed_again(acme: World, globex: World, before: None) -> None:
    for world in (acme, globex):
        with tenant_context(world.id):
            product = Product.objects.create(sku="AB-12/3", name="手機殼iPhone15透明", price_minor=1, currency="EUR")
            ProductTerm.objects.create(product=product, term="of before")

    call_command("migrate", verbosity=0)

    for world in (acme, globex):
        with tenant_context(world.id):
            for query in ("iphone", "ab12"):
                assert [found.sku for found in search.matching(Product.objects.all(), query)] == ["AB-12/3"]
            assert search.matching(Product.objects.all(), "anvil").get().sku == "A-1"
            assert not ProductTerm.objects.filter(term="of before").exists()
