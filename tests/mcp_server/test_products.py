"""Products through the official client: found, made, changed, in both languages and both eras."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from core.models import Product
from core.services import product_changes, products
from rls import tenant_context
from tests.mcp_server.test_changes import call, person
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World, make_tenant

TEA = {"sku": "TEA-1", "name": "高山烏龍茶", "price": "480", "category": "茶葉", "opening_stock": 12}


@pytest.fixture
def taipei() -> World:
    """A tenant that speaks Chinese."""
    return make_tenant("taipei", "台北", locale="zh-hant")


@pytest.fixture
def full(acme: World) -> World:
    """A tenant with 25 products of long names and prices."""
    with tenant_context(acme.id):
        for number in range(25):
            product_changes.create(
                sku=f"SHELF-2025-{number:04d}",
                name=f"阿里山特選高海拔手採金萱烏龍茶禮盒附陶瓷茶具組限量典藏版第{number}號" * 3,
                price=Decimal(123_456),
                actor="tests",
                opening_stock=1000,
                reorder_level=1000,
            )
    return acme


def skus(result: Any) -> list[str]:
    return [product["sku"] for product in result.structured_content["products"]]


@pytest.mark.parametrize("era", ERAS)
def test_a_shop_keeper_adds_a_product_and_finds_it(era: Era, acme: World, server: Process) -> None:
    made = call(server, acme, {**TEA, "price": "25"}, era=era, name="create_product")
    found = call(server, acme, {"search": "烏龍"}, era=era, name="get_tenant_products")
    changed = call(server, acme, {"sku": "TEA-1", "name": "Oolong"}, era=era, name="update_product")
    shown = call(server, acme, {"sku": "TEA-1"}, era=era, name="get_product")

    assert made.content[0].text == (
        "Created the product TEA-1 高山烏龍茶: €25.00, 12 in stock.\n"
        "- Reorder level: 5\n"
        "- Category: 茶葉\n"
        "Money: EUR, 2 decimals."
    )
    assert found.content[0].text == "Products:\n- TEA-1 (茶葉) 高山烏龍茶: €25.00, 12 in stock\nMoney: EUR, 2 decimals."
    assert found.structured_content == {
        "products": [
            {
                "sku": "TEA-1",
                "name": "高山烏龍茶",
                "category": "茶葉",
                "price": "25.00",
                "price_minor": 2500,
                "currency": "EUR",
                "decimals": 2,
                "stock": 12,
                "is_low": False,
                "is_active": True,
            }
        ],
        "has_more": False,
        "next_cursor": None,
    }
    assert changed.content[0].text == (
        "TEA-1 Oolong has changed:\n"
        "- Name: 高山烏龍茶, now Oolong\n"
        "It is now:\n"
        "- TEA-1 (茶葉) Oolong: €25.00, 12 in stock\n"
        "Money: EUR, 2 decimals."
    )
    assert changed.structured_content["changes"] == [{"field": "name", "before": "高山烏龍茶", "after": "Oolong"}]
    assert shown.content[0].text.startswith(
        "TEA-1 Oolong\n- Price: €25.00\n- In stock: 12, reorder level 5\n- For sale: yes\n- Category: 茶葉\n"
    )
    [movement] = shown.structured_content["movements"]
    assert (movement["quantity"], movement["reason"], movement["actor"]) == (12, "opening", "acme token")


@pytest.mark.django_db
def test_the_same_in_chinese(taipei: World, server: Process) -> None:
    made = call(server, taipei, TEA, name="create_product")
    found = call(server, taipei, {"search": "烏龍"}, name="get_tenant_products")
    shown = call(server, taipei, {"sku": "TEA-1"}, name="get_product")
    unknown = call(server, taipei, {"sku": "TEA-2"}, name="get_product")

    assert made.content[0].text.startswith("已新增商品 TEA-1 高山烏龍茶：€480.00，庫存 12。\n")
    assert found.content[0].text == "商品列表：\n- TEA-1 (茶葉) 高山烏龍茶：€480.00，庫存 12\n幣別：EUR，小數 2 位。"
    assert "（期初庫存），異動後 12，經手人：taipei token" in shown.content[0].text
    assert "找不到商品 'TEA-2'。您是指 'TEA-1' 嗎？" in unknown.content[0].text


@pytest.mark.parametrize("name", ["get_tenant_products", "get_inventory"])
@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_a_listing_of_twenty_is_short(name: str, language: str, full: World, server: Process) -> None:
    result = call(server, full, {}, language=language, name=name)

    text = result.content[0].text
    assert len(skus(result)) == 20
    assert text.count("SHELF-2025-") >= 19
    assert result.structured_content["next_cursor"] in text
    assert len(text.encode()) < 2500


def test_pages_follow_each_other_to_the_end(full: World, server: Process) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        result = call(server, full, {"limit": 10, "cursor": cursor}, name="get_tenant_products")
        seen += skus(result)
        cursor = result.structured_content["next_cursor"]
        if not result.structured_content["has_more"]:
            break

    assert seen == [*(f"SHELF-2025-{number:04d}" for number in reversed(range(25))), "A-1"]
    assert cursor is None


@pytest.mark.parametrize("name", ["get_tenant_products", "get_inventory"])
def test_a_cursor_is_of_one_tenant_and_one_list(name: str, full: World, globex: World, server: Process) -> None:
    cursor = call(server, full, {"limit": 1}, name=name).structured_content["next_cursor"]
    other = "get_inventory" if name == "get_tenant_products" else "get_tenant_products"

    elsewhere = call(server, globex, {"limit": 1, "cursor": cursor}, name=name)
    other_list = call(server, full, {"limit": 1, "cursor": cursor}, name=other)
    filters = {"stock": "low"} if name == "get_tenant_products" else {"low_only": True}
    other_filter = call(server, full, {"limit": 1, "cursor": cursor, **filters}, name=name)

    for result in (elsewhere, other_list, other_filter):
        assert result.is_error
        assert "This cursor does not belong to this list with these filters." in result.content[0].text


def test_another_tenants_products_do_not_exist(acme: World, globex: World, server: Process) -> None:
    call(server, acme, TEA, name="create_product")

    searched = call(server, globex, {"search": "TEA"}, name="get_tenant_products")
    asked_for = call(server, globex, {"sku": "TEA-1"}, name="get_product")
    changed = call(server, globex, {"sku": "TEA-1", "name": "Mine"}, name="update_product")
    made = call(server, globex, TEA, name="create_product")

    assert skus(searched) == []
    assert "There is no product 'TEA-1'. Call get_tenant_products to see the skus." in asked_for.content[0].text
    assert "There is no product 'TEA-1'." in changed.content[0].text
    assert not made.is_error


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("answer", "price_minor"), [(True, 100), (False, 1999)])
def test_a_person_decides_about_a_price(
    answer: bool, price_minor: int, era: Era, acme: World, stateful_server: Process
) -> None:
    asked: list[str] = []
    arguments = {"sku": "A-1", "price": "1.00"}

    call(stateful_server, acme, arguments, era=era, callback=person(answer, asked), name="update_product")

    assert asked == ["Change the price of A-1 Acme anvil from €19.99 to €1.00? That is more than half of it."]
    with tenant_context(acme.id):
        assert products.get("A-1").price_minor == price_minor


def test_a_product_goes_off_sale_in_two_steps(acme: World, server: Process) -> None:
    arguments = {"sku": "A-1", "is_active": False}
    refused = call(server, acme, arguments, name="set_product_active")
    dry = call(server, acme, {**arguments, "dry_run": True}, name="set_product_active")
    confirmed = {**arguments, "confirmation": dry.structured_content["confirmation"]}

    done = call(server, acme, confirmed, name="set_product_active")
    again = call(server, acme, arguments, name="set_product_active")
    listed = call(server, acme, {}, name="get_tenant_products")

    assert "A person has to agree first: Take A-1 Acme anvil off sale?" in refused.content[0].text
    units = "Money: EUR, 2 decimals."
    now = "It is now:\n- A-1 Acme anvil: €19.99, not for sale"
    assert done.content[0].text == f"A-1 Acme anvil has changed:\n- For sale: yes, now no\n{now}\n{units}"
    assert again.content[0].text == f"A-1 Acme anvil already has these values; nothing was changed.\n{units}"
    assert listed.content[0].text == f"Products:\n- A-1 Acme anvil: €19.99, not for sale\n{units}"


def test_a_dry_run_makes_no_product(acme: World, server: Process) -> None:
    result = call(server, acme, {**TEA, "dry_run": True}, name="create_product")

    assert "Created the product TEA-1" in result.content[0].text
    with tenant_context(acme.id):
        assert not Product.objects.filter(sku="TEA-1").exists()


@pytest.mark.anyio
async def test_one_sku_wanted_by_many_at_once_is_given_once(acme: World, server: Process) -> None:
    async with connected(server.mcp("acme"), acme.token) as client:
        results = await asyncio.gather(*(client.call_tool("create_product", TEA) for _ in range(8)))

    refused = [result.content[0].text for result in results if result.is_error]
    assert len(refused) == 7
    assert all("A product with the sku 'TEA-1' exists already." in text for text in refused)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("get_tenant_products", {"category": "Tea"}, "There is no category 'Tea'."),
        ("get_tenant_products", {"limit": 101}, "limit: "),
        ("get_tenant_products", {"stock": "some"}, "'all', 'in_stock', 'low' or 'out'"),
        ("get_tenant_products", {"search": "a\0b"}, "search: "),
        ("get_product", {"sku": "A-1\0"}, "sku: "),
        ("create_product", {**TEA, "sku": " TEA-1"}, "must not begin or end with a space"),
        (
            "create_product",
            {**TEA, "price": "10000000000000.01"},
            "too large: the largest amount is €10,000,000,000,000.00.",
        ),
        ("create_product", {**TEA, "sku": "A-1"}, "A product with the sku 'A-1' exists already."),
        ("update_product", {"sku": "A-1"}, "one or more of: name, description, category, price, reorder_level."),
    ],
)
def test_a_call_that_can_not_be_is_answered_in_words(
    name: str, arguments: dict[str, Any], words: str, acme: World, server: Process
) -> None:
    result = call(server, acme, arguments, name=name)

    assert result.is_error
    assert words in result.content[0].text
    assert "unexpectedly" not in result.content[0].text
