"""Suggestions while an argument is typed, through the official client."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, PromptReference, ResourceTemplateReference

from core.models import Customer, Order, Product
from core.scopes import Scope
from core.services import search
from rls import tenant_context
from tests.mcp_server.test_resources import at, narrow
from tests.support.processes import ERAS, Era, Process
from tests.support.world import World

PRODUCT = ResourceTemplateReference(type="ref/resource", uri="product://{sku}")
ORDER = ResourceTemplateReference(type="ref/resource", uri="order://{number}")
SALES = ResourceTemplateReference(type="ref/resource", uri="report://sales/{period}")
EXPORT = ResourceTemplateReference(type="ref/resource", uri="export://{id}")
RESTOCK = PromptReference(type="ref/prompt", name="restock_plan")
FOLLOW_UP = PromptReference(type="ref/prompt", name="customer_follow_up")
MONTH_END = PromptReference(type="ref/prompt", name="month_end_report")


def suggested(
    server: Process, world: World, ref: Any, name: str, value: str, era: Era = "2026-07-28", **options: Any
) -> Any:
    async def story(client: Client) -> Any:
        return (await client.complete(ref, {"name": name, "value": value})).completion

    return at(server, world, story, era, **options)


@pytest.fixture
def shop(acme: World) -> World:
    """Acme with products, orders and customers to choose from."""
    with tenant_context(acme.id):
        products = [
            Product.objects.create(sku=sku, name=name, category=category, price_minor=1, currency="EUR")
            for sku, name, category in [
                ("TEA-1", "Oolong", "Tea"),
                ("TEA-2", "高山烏龍茶", "茶"),
                ("POT-1", "Tea pot", "Tableware"),
            ]
        ]
        search.index_all(products)
        Order.objects.bulk_create([Order(number=number) for number in (2, 12, 120, 121, 1200, 13)])
        for name in ("wanda", "zoe"):
            Customer.objects.create(email=f"{name}@acme.example", name=name)
    return acme


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("ref", "name", "value", "values"),
    [
        (PRODUCT, "sku", "tea-", ["POT-1", "TEA-1", "TEA-2"]),
        (PRODUCT, "sku", "tea-1", ["POT-1", "TEA-1"]),
        (PRODUCT, "sku", "烏龍", ["TEA-2"]),
        (PRODUCT, "sku", "zzz", []),
        (ORDER, "number", "12", ["1200", "121", "120", "12"]),
        (ORDER, "number", "", ["1200", "121", "120", "13", "12", "2", "1"]),
        (ORDER, "number", "0", []),
        (ORDER, "number", "x", []),
        (ORDER, "number", "٣", []),
        (ORDER, "number", "9" * 300, []),
        (SALES, "period", "last_m", ["last_month"]),
        (SALES, "period", "2026-W", []),
        (EXPORT, "id", "a", []),
        (RESTOCK, "category", "t", ["Tableware", "Tea"]),
        (RESTOCK, "category", "茶", ["茶"]),
        (FOLLOW_UP, "customer", "W", ["wanda@acme.example", "wile@acme.example"]),
        (FOLLOW_UP, "period", "yes", ["yesterday"]),
        (FOLLOW_UP, "customer", "\0", []),
    ],
)
def test_what_begins_so_is_suggested(
    era: Era, ref: Any, name: str, value: str, values: list[str], shop: World, globex: World, server: Process
) -> None:
    completion = suggested(server, shop, ref, name, value, era)

    assert (completion.values, completion.total, completion.has_more) == (values, len(values), False)


def test_recent_months_are_suggested(acme: World, server: Process) -> None:
    with timezone.override("UTC"):
        this_month = f"{timezone.localdate():%Y-%m}"

    completion = suggested(server, acme, MONTH_END, "month", "")

    assert len(completion.values) == 12
    assert completion.values == sorted(completion.values, reverse=True)
    assert completion.values[0] == this_month
    assert suggested(server, acme, SALES, "period", this_month).values == [this_month]


def test_of_many_the_first_hundred_are_suggested(acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        Order.objects.bulk_create([Order(number=number) for number in range(1000, 1101)])

    completion = suggested(server, acme, ORDER, "number", "1")

    assert completion.values == [str(number) for number in range(1100, 1000, -1)]
    assert (completion.total, completion.has_more) == (None, True)


def test_suggestions_are_as_secret_as_what_they_are_for(acme: World, server: Process) -> None:
    token = narrow(acme, Scope.REPORTS_READ)

    async def story(client: Client) -> list[Any]:
        refusals = []
        for ref, name in [(PRODUCT, "sku"), (ORDER, "number"), (RESTOCK, "category"), (FOLLOW_UP, "customer")]:
            with pytest.raises(MCPError) as refusal:
                await client.complete(ref, {"name": name, "value": ""})
            refusals.append(refusal.value.error)
        return refusals

    for error in at(server, acme, story, token=token):
        assert error.code == INVALID_PARAMS
        assert "There is no argument" in error.message


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        (PRODUCT, "tenant"),
        (ResourceTemplateReference(type="ref/resource", uri="product://A-1"), "sku"),
        (PromptReference(type="ref/prompt", name="nothing"), "sku"),
    ],
)
def test_there_is_nothing_to_suggest_for_what_is_not_there(ref: Any, name: str, acme: World, server: Process) -> None:
    async def story(client: Client) -> Any:
        with pytest.raises(MCPError) as refusal:
            await client.complete(ref, {"name": name, "value": ""})
        return refusal.value.error

    assert at(server, acme, story).code == INVALID_PARAMS
