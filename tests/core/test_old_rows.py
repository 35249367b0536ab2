"""Rows of before a rule keep it after `migrate`: customers of one address become one, products are indexed again,
lines have a category."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command

from core.models import Customer, Order, OrderItem, Product, ProductTerm
from core.services import search
from rls import tenant_context
from tests.support.world import World

BEFORE = "0003"


# What is in the place of an address that the rules of today allow.
ADDRESSES = {
    "two@acme.example": "WILE@acme.example\u200f",
    "three@acme.example": "wile@ＡＣＭＥ.example",
    "four@acme.example": "bip@xn--bcher-kva.example",
    "five@acme.example": "no address\u00ad",
}


@pytest.fixture
def now() -> Iterator[None]:
    """The database as it is now when the test ends."""
    yield
    call_command("migrate", verbosity=0)


def test_customers_of_one_address_become_the_oldest_with_all_orders(acme: World, globex: World, now: None) -> None:
    for world in (acme, globex):
        with tenant_context(world.id):
            for number, email in enumerate(list(ADDRESSES)[:3], start=2):
                twin = Customer.objects.create(email=email, name=f"Twin {number}", phone=f"0{number}")
                Order.objects.create(number=number, currency="EUR", customer=twin)
    with tenant_context(acme.id):
        Customer.objects.create(email="five@acme.example", name="Bop")
    call_command("migrate", "core", BEFORE, verbosity=0)
    for world in (acme, globex):
        with tenant_context(world.id):
            for email, of_before in ADDRESSES.items():
                Customer.objects.filter(email=email).update(email=of_before)

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


def test_products_are_indexed_again(acme: World, globex: World, now: None) -> None:
    call_command("migrate", "core", BEFORE, verbosity=0)
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


def test_products_are_found_by_either_form_of_a_character(acme: World, globex: World, now: None) -> None:
    call_command("migrate", "core", "0009", verbosity=0)
    for world in (acme, globex):
        with tenant_context(world.id):
            product = Product.objects.create(sku="T-1", name="台灣茶", price_minor=1, currency="EUR")
            for term in ("台灣茶", "臺灣茶", "灣茶", "裏"):
                ProductTerm.objects.create(product=product, term=term)

    call_command("migrate", verbosity=0)

    for world in (acme, globex):
        with tenant_context(world.id):
            for query in ("台灣", "臺灣", "裡"):
                assert [found.sku for found in search.matching(Product.objects.all(), query)] == ["T-1"]
            assert ProductTerm.objects.filter(product__sku="T-1").count() == 3


def test_lines_keep_the_category_that_their_product_has(acme: World, globex: World, now: None) -> None:
    for world, category in ((acme, "Tools"), (globex, "Toys")):
        with tenant_context(world.id):
            Product.objects.update(category=category)
    call_command("migrate", "core", "0006", verbosity=0)

    call_command("migrate", verbosity=0)

    for world, category in ((acme, "Tools"), (globex, "Toys")):
        with tenant_context(world.id):
            assert list(OrderItem.objects.values_list("category", flat=True)) == [category]
