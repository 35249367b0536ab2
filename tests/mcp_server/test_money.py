"""A shop of another currency through the official client: what is 480 to its keeper is 480 everywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from mcp_types import CallToolResult

from core.models import Product, TenantSettings
from core.services import tenants
from mcp_server.tokens import tokens
from rls import tenant_context
from tests.mcp_server.test_changes import call, person
from tests.support.processes import Process
from tests.support.world import World, working

pytestmark = pytest.mark.django_db

LANGUAGES = ["en", "zh-hant"]
TEA = {"sku": "TEA-1", "name": "高山烏龍茶", "price": "480", "opening_stock": 12}
# An amount of TWD as no text of ours has it: with a bare $, or with decimals that nobody uses.
MISTAKABLE = re.compile(r"(?<!NT)\$|NT\$[0-9,]+\.00")


def shop(currency: str, locale: str) -> World:
    with working():
        tenant = tenants.create(subdomain="shop", name="Shop", locale=locale)
        token = tokens.create(name="shop token", slug="shop")
    with tenant_context(tenant.id):
        TenantSettings.objects.update(currency=currency, max_order_minor=100_000)
    return World(tenant.id, "shop", "Shop", token, *[tenant.id] * 4)


def done(server: Process, world: World, tool: str, asked: list[str] | None = None, **arguments: Any) -> CallToolResult:
    result = call(server, world, arguments, callback=person(True, [] if asked is None else asked), name=tool)
    assert not result.is_error, result.content[0].text
    return result


@pytest.mark.parametrize("language", LANGUAGES)
def test_480_is_480_from_the_product_to_the_figures(language: str, server: Process) -> None:
    taipei = shop("TWD", language)
    asked: list[str] = []
    made = done(server, taipei, "create_product", **TEA)
    rehearsed = done(server, taipei, "update_product", sku="TEA-1", price="520", dry_run=True)
    changed = done(server, taipei, "update_product", sku="TEA-1", price="500.5")
    done(server, taipei, "update_product", sku="TEA-1", price=480)
    ordered = done(server, taipei, "create_order", asked, items=[{"sku": "TEA-1", "quantity": 3}], discount="300")
    placed = done(server, taipei, "place_order", asked, number=1)
    paid = done(server, taipei, "update_order_status", number=1, status="paid", payment_method="cash")
    seen = [
        done(server, taipei, name, **arguments)
        for name, arguments in {
            "get_product": {"sku": "TEA-1"},
            "get_tenant_products": {"min_price": "480", "max_price": "480.00"},
            "list_orders": {},
            "get_product_stats": {},
            "get_comprehensive_tenant_stats": {},
            "get_sales_statistics": {"period": "this_year", "group_by": "product"},
            "get_business_insights": {},
            "manage_tenant_settings": {},
        }.items()
    ]
    cancelled = done(server, taipei, "cancel_order", asked, number=1, reason="none")

    results = [made, rehearsed, changed, ordered, placed, paid, *seen, cancelled]
    texts = [*asked, *(result.content[0].text for result in results)]
    assert [text for text in texts if MISTAKABLE.search(text)] == []
    assert "NT$480" in made.content[0].text
    assert "NT$500.50" in changed.content[0].text
    assert [re.findall(r"NT\$[0-9,]*[0-9]", question) for question in asked] == [
        ["NT$300", "NT$1,440"],
        ["NT$1,140", "NT$1,000"],
        ["NT$1,140"],
    ]
    facts = [result.structured_content for result in results]
    assert (facts[0]["price"], facts[0]["price_minor"], facts[0]["decimals"]) == ("480", 48_000, 2)
    assert facts[2]["changes"] == [
        {"field": "price", "before": "480", "after": "500.50"},
        {"field": "price_minor", "before": 48_000, "after": 50_050},
    ]
    assert (facts[3]["discount"], facts[3]["total"], facts[3]["lines"][0]["amount"]) == ("300", "1140", "1440")
    assert facts[5]["payments"][0]["amount"] == "1140"
    assert [each["price"] for each in facts[7]["products"]] == ["480"]
    assert facts[8]["orders"][0]["total"] == "1140"
    assert (facts[9]["stock_value"], facts[10]["revenue"]) == ("4320", "1140")
    assert (facts[11]["totals"]["average_order"], facts[11]["groups"][0]["revenue"]) == ("1140", "1440")
    assert facts[12]["best_sellers"]["value"][0]["revenue"] == "1440"
    assert (facts[13]["max_order"], facts[13]["max_order_minor"]) == ("1000", 100_000)
    assert (facts[14]["refund"], facts[14]["refund_minor"]) == ("1140", 114_000)


@pytest.mark.parametrize(
    ("currency", "price", "minor", "shown"),
    [
        ("HUF", "1999", 199_900, "HUF\u00a01,999,"),
        ("JPY", "480", 480, "JP¥480,"),
        ("KWD", "1.5", 1_500, "KWD\u00a01.500,"),
        ("CLF", "1.2345", 12_345, "CLF\u00a01.2345,"),
        ("USD", "19.9", 1_990, "US$19.90,"),
        ("CNY", "１９．９０", 1_990, "CN¥19.90,"),
        ("IQD", " 1500 ", 1_500_000, "IQD\u00a01,500,"),
        ("TWD", 19.9, 1_990, "NT$19.90,"),
    ],
)
def test_a_price_is_in_the_currencys_own_unit(
    currency: str, price: Any, minor: int, shown: str, server: Process
) -> None:
    made = done(server, shop(currency, "en"), "create_product", **{**TEA, "price": price})

    assert made.structured_content["price_minor"] == minor
    assert shown in made.content[0].text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("create_product", {**TEA, "sku": "B-1"}),
        ("update_product", {"sku": "A-1"}),
        ("get_tenant_products", {}),
        ("create_order", {"items": [{"sku": "A-1", "quantity": 1}]}),
        ("manage_tenant_settings", {}),
    ],
)
def test_what_is_no_amount_is_refused_by_each_tool(
    name: str, arguments: dict[str, Any], language: str, acme: World, server: Process
) -> None:
    with tenant_context(acme.id):
        TenantSettings.objects.update(locale=language)
    words = {"en": "is not an amount: write digits alone", "zh-hant": "不是金額：請只寫數字"}[language]
    decimals = {"en": "has more than the 2 decimals of EUR.", "zh-hant": "的小數超過 EUR 的 2 位。"}[language]
    parameters = {
        "get_tenant_products": "min_price",
        "create_order": "discount",
        "manage_tenant_settings": "max_order",
    }
    parameter = parameters.get(name, "price")

    for given in ["1,999", "NT$480", "1e3", "-5", "480.", ".5", "NaN", True, -5]:
        refused = call(server, acme, {**arguments, parameter: given}, name=name)
        assert refused.is_error, given
        assert parameter in refused.content[0].text
        assert words in refused.content[0].text, given
    for given in ["19.999", 19.999, "19.990"]:
        refused = call(server, acme, {**arguments, parameter: given}, name=name)
        assert refused.is_error, given
        assert decimals in refused.content[0].text, given
    with tenant_context(acme.id):
        assert list(Product.objects.values_list("price_minor", flat=True)) == [1999]


@pytest.mark.parametrize("name", ["create_product", "update_product"])
def test_an_argument_in_the_minor_unit_is_not_taken(name: str, acme: World, server: Process) -> None:
    refused = call(server, acme, {"sku": "B-1", "name": "Tea", "price": "1", "price_minor": 48_000}, name=name)

    assert refused.is_error
    assert f"{name} does not take 'price_minor'." in refused.content[0].text
