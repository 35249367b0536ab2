"""Stock through the official client: what is short, what came and went."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum

from core.models import StockMovement
from core.services import product_changes, products
from rls import tenant_context
from tests.mcp_server.test_changes import call, person
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World, make_tenant


def create(world: World, sku: str, units: int) -> None:
    with tenant_context(world.id):
        product_changes.create(sku=sku, name="Oolong", price=Decimal(5), actor="tests", opening_stock=units)


def on_hand(world: World, sku: str) -> int:
    with tenant_context(world.id):
        ledger = StockMovement.objects.filter(product__sku=sku).aggregate(sum=Sum("quantity"))["sum"]
        units = products.get(sku).stock
    assert units == ledger
    return units


@pytest.mark.parametrize("era", ERAS)
def test_a_shop_keeper_restocks_what_is_short(era: Era, acme: World, server: Process) -> None:
    create(acme, "TEA-1", 2)
    purchase = {"sku": "TEA-1", "quantity": 40, "reason": "purchase", "note": "Invoice 7"}

    short = call(server, acme, {"low_only": True}, era=era, name="get_inventory")
    bought = call(server, acme, purchase, era=era, name="adjust_stock")
    after = call(server, acme, {"low_only": True}, era=era, name="get_inventory")
    shown = call(server, acme, {"sku": "TEA-1"}, era=era, name="get_product")

    assert short.content[0].text == ("Stock, the shortest first:\n- TEA-1 Oolong: 2 in stock, LOW (reorder level 5)")
    assert bought.content[0].text == "TEA-1 Oolong: 2 in stock before, 42 now."
    assert (bought.structured_content["stock_before"], bought.structured_content["stock_after"]) == (2, 42)
    assert after.structured_content["products"] == []
    assert [each["reason"] for each in shown.structured_content["movements"]] == ["purchase", "opening"]
    assert shown.structured_content["movements"][0]["note"] == "Invoice 7"
    assert on_hand(acme, "TEA-1") == 42


@pytest.mark.django_db
def test_the_same_in_chinese(server: Process) -> None:
    taipei = make_tenant("taipei", "台北", locale="zh-hant")
    create(taipei, "TEA-1", 2)

    short = call(server, taipei, {"low_only": True}, name="get_inventory")
    broken = call(server, taipei, {"sku": "TEA-1", "quantity": -1, "reason": "damage"}, name="adjust_stock")

    assert short.content[0].text == "庫存（最需補貨者在前）：\n- TEA-1 Oolong：庫存 2，偏低（補貨點 5）"
    assert broken.content[0].text == "TEA-1 Oolong：庫存原為 2，現為 1，已偏低。"


def test_a_key_moves_units_once(acme: World, server: Process) -> None:
    arguments = {"sku": "A-1", "quantity": 3, "reason": "return", "idempotency_key": "k"}

    first = call(server, acme, arguments, name="adjust_stock")
    second = call(server, acme, arguments, name="adjust_stock")

    assert first.structured_content == second.structured_content
    assert on_hand(acme, "A-1") == 8


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("answer", "units"), [(True, 1505), (False, 5), (None, 5)])
def test_a_person_decides_about_more_than_the_cap(
    answer: bool | None, units: int, era: Era, acme: World, stateful_server: Process
) -> None:
    asked: list[str] = []
    arguments = {"sku": "A-1", "quantity": 1500, "reason": "count"}

    call(stateful_server, acme, arguments, era=era, callback=person(answer, asked), name="adjust_stock")

    assert asked == [
        "Change the stock of A-1 by 1,500 units? An assistant may change it by up to 1,000 units without asking."
    ]
    assert on_hand(acme, "A-1") == units


def test_many_at_once_take_no_more_than_there_is(acme: World, server: Process) -> None:
    async def story() -> list[Any]:
        async with connected(server.mcp("acme"), acme.token) as client:
            arguments = {"sku": "A-1", "quantity": -1, "reason": "damage"}
            return await asyncio.gather(*(client.call_tool("adjust_stock", arguments) for _ in range(16)))

    results = asyncio.run(story())

    refused = [result.content[0].text for result in results if result.is_error]
    assert len(refused) == 11
    assert all("A-1 has 0 units in stock, but 1 are needed." in text for text in refused)
    assert on_hand(acme, "A-1") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"quantity": -6, "reason": "count"},
            "A-1 has 5 units in stock, but 6 are needed. Call get_product to see it.",
        ),
        ({"quantity": 0, "reason": "count"}, "A quantity of 0 changes nothing."),
        ({"quantity": 2**31 - 1, "reason": "count"}, "A product can have at most 2,147,483,647 units in stock."),
        ({"quantity": 2**31, "reason": "count"}, "quantity: "),
        ({"quantity": 1, "reason": "sale"}, "'purchase', 'return', 'damage' or 'count'"),
        ({"quantity": 1, "reason": "opening"}, "'purchase', 'return', 'damage' or 'count'"),
        ({"quantity": 1, "reason": "count", "sku": "A-2"}, "Did you mean 'A-1'?"),
    ],
)
def test_what_can_not_move_is_answered_in_words(
    arguments: dict[str, Any], words: str, acme: World, server: Process
) -> None:
    result = call(server, acme, {"sku": "A-1", **arguments}, name="adjust_stock")

    assert result.is_error
    assert words in result.content[0].text
    assert on_hand(acme, "A-1") == 5


def test_another_tenants_stock_is_not_listed(acme: World, globex: World, server: Process) -> None:
    create(acme, "SECRET-1", 2)

    result = call(server, globex, {"include_inactive": True}, name="get_inventory")

    assert [product["sku"] for product in result.structured_content["products"]] == ["A-1"]
