"""Customers: one for each e-mail address of a tenant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import IntegrityError
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rls
from core import addresses
from core.addresses import NotAnAddress
from core.models import Customer
from core.services import customers, drafts, orders, suggestions
from core.services.customers import CustomerInvalid
from core.services.drafts import Wanted
from tests.core.test_addresses import ALPHABET
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


@pytest.mark.parametrize(
    "email",
    [
        "wile@acme.example\u200f",
        "ｗｉｌｅ＠ａｃｍｅ．ｅｘａｍｐｌｅ",
        "Wile E. <mailto:Wile@acme.example>",
        "wile@acme.example.",
    ],
)
def test_a_pasted_address_is_the_known_customer_and_finds_its_orders(email: str, acme: World) -> None:
    with rls.tenant_context(acme.id):
        order = drafts.create(items=[Wanted("A-1", 1)], customer_email=email, customer_name="Somebody else").order

        assert Customer.objects.get() == order.customer
        assert order in orders.find(customer_email=email)
        assert suggestions.customers(email, 5) == ["wile@acme.example"]


def test_a_domain_in_punycode_is_the_domain(acme: World) -> None:
    with rls.tenant_context(acme.id):
        first = customers.saved(customers.wanted(email="Jo\u0308rg@xn--bcher-kva.example", name="Jörg"))
        second = customers.saved(customers.wanted(email="JÖRG@BÜCHER.example", name="Jörg"))

        assert first == second
        assert first is not None
        assert first.email == "jörg@bücher.example"


def test_orders_of_what_is_no_address_are_refused(acme: World) -> None:
    with rls.tenant_context(acme.id), pytest.raises(CustomerInvalid, match="'wile' is not an e-mail address"):
        orders.find(customer_email="wile")


@pytest.mark.parametrize(
    "email",
    [
        "Wile@acme.example",
        "wile@acme.example\u200f",
        "ｗile@acme.example",
        "wile@acme.example ",
        "wi\u00adle@acme.example",
        "jo\u0308rg@acme.example",
    ],
)
def test_the_database_holds_no_other_form(email: str, acme: World) -> None:
    with rls.tenant_context(acme.id), pytest.raises(IntegrityError, match="customer_email_normal"):
        Customer.objects.create(email=email, name="Wile E.")


@given(local=st.text(ALPHABET, min_size=1), domain=st.text(ALPHABET, min_size=1) | st.just("acme"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_database_holds_each_form(local: str, domain: str, acme: World) -> None:
    try:
        email = addresses.normal(f"{local}@{domain}.example")
    except NotAnAddress:
        return

    with rls.tenant_context(acme.id):
        customer, _ = Customer.objects.get_or_create(email=email, defaults={"name": "Wile E."})

        assert Customer.objects.get(email=email) == customer


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
