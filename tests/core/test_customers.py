"""Customers: one for each e-mail address of a tenant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import translation

import rls
from core.models import Customer
from core.services import customers
from core.services.customers import CustomerInvalid
from tests.support.world import World


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def test_a_known_address_is_the_known_customer_in_whatever_case(acme: World) -> None:
    with rls.tenant_context(acme.id):
        customer = customers.saved(customers.wanted(email=" Wile@ACME.example", name="Somebody else"))

        assert customer == Customer.objects.get()
        assert customer.name == "Wile E."


def test_a_new_address_is_a_new_customer_when_it_is_saved(acme: World) -> None:
    with rls.tenant_context(acme.id):
        wanted = customers.wanted(email="Bip@acme.example", name=" Bip ")
        before = Customer.objects.count()

        customers.saved(wanted)

        added = Customer.objects.get(email="bip@acme.example")
        assert (before, added.name) == (1, "Bip")


def test_a_customer_that_was_saved_meanwhile_is_that_one(acme: World) -> None:
    with rls.tenant_context(acme.id):
        first, second = (customers.wanted(email="bip@acme.example", name=name) for name in ("Bip", "Bop"))

        assert customers.saved(first) == customers.saved(second)


def test_who_gives_nothing_is_a_walk_in(acme: World) -> None:
    with rls.tenant_context(acme.id):
        assert customers.saved(customers.wanted(email=" ", name="")) is None


@pytest.mark.parametrize(
    ("email", "name", "words"),
    [
        ("", "Bip", "Give customer_email too"),
        ("bip", "Bip", "'bip' is not an e-mail address"),
        ("b" * 250 + "@acme.example", "Bip", "is not an e-mail address"),
        ("bip@acme.example", " ", "Call again with customer_name too."),
    ],
)
def test_a_customer_without_an_address_or_a_name_is_refused(email: str, name: str, words: str, acme: World) -> None:
    with rls.tenant_context(acme.id), pytest.raises(CustomerInvalid, match=words):
        customers.wanted(email=email, name=name)


def test_a_customer_of_another_tenant_is_not_known(acme: World, globex: World) -> None:
    with rls.tenant_context(globex.id):
        customer = customers.saved(customers.wanted(email="wile@acme.example", name="Wile of Globex"))

        assert customer is not None
        assert customer.name == "Wile of Globex"
