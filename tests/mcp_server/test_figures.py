"""The tools that answer in figures, through the official client: in both languages and both protocol eras."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from core import formats
from core.models import Customer, OrderStatus, Product
from rls import tenant_context
from tests.mcp_server.test_changes import call as call_as
from tests.support.processes import ERAS, Era, Process
from tests.support.selling import pay, product, sell
from tests.support.world import World

TOOLS = ("get_product_stats", "get_comprehensive_tenant_stats", "get_sales_statistics", "get_business_insights")


def call(server: Process, world: World, name: str, language: str = "en", era: Era = "2026-07-28", **given: Any) -> Any:
    return call_as(server, world, given, name=name, language=language, era=era)


UNITS = "Money: EUR, 2 decimals. Times: UTC."


def as_of(result: Any) -> str:
    """The line that says when the figures were read."""
    with translation.override("en"):
        return f"As of {formats.moment(datetime.fromisoformat(result.structured_content['as_of']))}"


@pytest.fixture
def shop(acme: World, globex: World) -> World:
    """A tenant with sales in March 2026, and another one with more of them."""
    for world, times in ((acme, 1), (globex, 3)):
        with tenant_context(world.id):
            buyer = Customer.objects.create(email="b@x.example", name="B")
            cup, pot = product("CUP", name="茶杯", category="杯", stock=30), product("POT", stock=0)
            for _ in range(times):
                pay(sell(cup, 31, "2026-03-02", discount=500, customer=buyer), 30500, "2026-03-02")
                sell(pot, 2, "2026-03-02", status=OrderStatus.SHIPPED)
                pay(sell(cup, 1, "2026-03-04", status=OrderStatus.CANCELLED), 610, "2026-03-05", "refund")
                sell(cup, 20, "2026-02-02")
    return acme


@pytest.mark.parametrize("era", ERAS)
def test_the_line_of_the_source_document(era: Era, shop: World, server: Process) -> None:
    chinese = call(server, shop, "get_product_stats", "zh-Hant", era)
    english = call(server, shop, "get_product_stats", "en", era)

    assert chinese.content[0].text.splitlines()[0] == "租戶 Acme: 總商品 3, 啟用商品 3"
    assert english.content[0].text.splitlines() == [
        "Tenant Acme: 3 products, 3 active",
        "Low stock: 1, out of stock: 1, units on hand: 35, worth €399.95 at today's prices.",
        "- (no category): products 2, units 5",
        "- 杯: products 1, units 30",
        as_of(english),
        UNITS,
    ]
    assert english.structured_content["stock_value_minor"] == 39995
    assert english.structured_content["categories"][1] == {"category": "杯", "products": 1, "active": 1, "units": 30}


def test_everything_in_two_languages(shop: World, server: Process) -> None:
    english = call(server, shop, "get_comprehensive_tenant_stats")
    chinese = call(server, shop, "get_comprehensive_tenant_stats", "zh-Hant")

    assert english.content[0].text.splitlines() == [
        "Tenant Acme",
        "- Users: 1",
        "- Products: 3, 3 active",
        "- Customers: 2",
        "- Orders: 5 (draft 0, placed 0, paid 3, shipped 1, delivered 0, cancelled 1)",
        "- Revenue: €564.98, this month €39.98",
        as_of(english),
        UNITS,
    ]
    assert "- 客戶：2" in chinese.content[0].text
    assert english.structured_content["orders_by_status"]["paid"] == 3
    assert english.structured_content["revenue_minor"] == 56498


@pytest.mark.parametrize("era", ERAS)
def test_sales_of_a_month(era: Era, shop: World, server: Process) -> None:
    result = call(server, shop, "get_sales_statistics", era=era, period="2026-03", group_by="product")

    assert result.content[0].text.splitlines() == [
        "Sales from Mar 1, 2026 to Mar 31, 2026: revenue €325.00, orders 2, units 33, average order €162.50",
        "Discounts €5.00, payments €305.00, refunds €6.10 (1), cancelled orders 1",
        "Compared with the period before (Feb 1, 2026 to Feb 28, 2026): revenue +62.5%, orders +100%, units +65%",
        "Net of what was cancelled in the period: gross €335.00 (orders 3) less €10.00 (orders 1)",
        "Revenue of the order lines, before order discounts:",
        "- CUP 茶杯: €310.00, orders 1, units 31",
        "- POT pot: €20.00, orders 1, units 2",
        as_of(result),
        UNITS,
    ]
    content = result.structured_content
    assert content["revenue_of_groups"] == "lines"
    assert content["period"] == {
        "name": "2026-03",
        "first_day": "2026-03-01",
        "last_day": "2026-03-31",
        "start": "2026-03-01T00:00:00Z",
        "end": "2026-04-01T00:00:00Z",
    }
    totals = content["totals"]
    assert (totals["gross_minor"], totals["cancelled_minor"], totals["revenue_minor"]) == (33500, 1000, 32500)
    assert content["previous_period"]["name"] == "2026-02-01..2026-02-28"
    assert content["differences"]["revenue"] == {"absolute": "125.00", "percent": 62.5}
    assert content["differences"]["revenue_minor"] == {"absolute": 12500, "percent": 62.5}
    assert content["differences"]["refunds"] == {"absolute": 1, "percent": None}
    pots = {"key": "POT", "name": "pot", "orders": 1, "units": 2, "revenue": "20.00", "revenue_minor": 2000}
    assert content["groups"][1] == pots


def test_sales_in_chinese(shop: World, server: Process) -> None:
    result = call(server, shop, "get_sales_statistics", "zh-Hant", period="2026-03", group_by="month")

    assert result.content[0].text.splitlines()[:-2] == [
        "2026年3月1日至2026年3月31日的銷售：營收 €325.00，訂單 2 筆，售出 33 件，平均每筆訂單 €162.50",
        "折扣 €5.00，收款 €305.00，退款 €6.10（1 筆），取消訂單 1 筆",
        "與前一期間（2026年2月1日至2026年2月28日）相比：營收 +62.5%，訂單 +100%，件數 +65%",
        "以上為扣除期間內取消訂單後的淨額：毛額 €335.00（3 筆）減取消金額 €10.00（1 筆）",
        "- 2026-03：€325.00，訂單 2 筆，33 件",
    ]


def test_the_days_of_a_long_period_are_in_both_forms(shop: World, server: Process) -> None:
    result = call(server, shop, "get_sales_statistics", period="2026-02-01..2026-03-31", compare=False)

    lines = result.content[0].text.splitlines()
    assert lines[31:33] == ["- Mar 1, 2026: €0.00, orders 0, units 0", "- Mar 2, 2026: €325.00, orders 2, units 33"]
    assert len([line for line in lines if line.startswith("- ")]) == 59
    assert len(result.structured_content["groups"]) == 59
    assert result.structured_content["previous"] is None
    assert result.structured_content["next_step"] is None


@pytest.mark.parametrize(
    ("group_by", "shown", "before"),
    [("day", 105, "2021-01-01..2021-06-17"), ("week", 105, "2021-01-01..2021-12-26")],
)
def test_of_a_longer_period_the_last_groups_are_shown_and_the_call_for_the_others(
    group_by: str, shown: int, before: str, acme: World, server: Process
) -> None:
    with tenant_context(acme.id):
        goods = product("DAY")
        for number in range(273 if group_by == "day" else 0):
            sell(goods, 1, str(date(2021, 1, 1) + timedelta(days=number)))
    period = "2021-01-01..2023-12-31"

    result = call(server, acme, "get_sales_statistics", period=period, group_by=group_by, compare=False)
    rest = call(server, acme, "get_sales_statistics", period=before, group_by=group_by, compare=False)

    content = result.structured_content
    assert len(content["groups"]) == shown
    assert f"period={before}" in content["next_step"]
    assert content["next_step"] in result.content[0].text
    keys = [group["key"] for answer in (rest, result) for group in answer.structured_content["groups"]]
    assert keys == sorted(set(keys))
    assert len(keys) == (210 if group_by == "day" else 157)


def test_what_stands_out(shop: World, server: Process) -> None:
    english = call(server, shop, "get_business_insights", period="2026-03")
    chinese = call(server, shop, "get_business_insights", "zh-Hant", period="2026-03")

    lines = english.content[0].text.splitlines()
    assert lines[0].startswith("From Mar 1, 2026 to Mar 31, 2026, as of ")
    assert lines[1:7] == [
        "Customers: 1 new, 0 returning",
        "Refund rate: 2% (€6.10 of €305.00)",
        "Best sellers:",
        "- CUP 茶杯: 31 sold, 30 in stock",
        "- POT pot: 2 sold, 0 in stock",
        "Worst sellers:",
    ]
    assert "Unusual days: none" in lines
    assert "異常的日子：無" in chinese.content[0].text
    rate = english.structured_content["refund_rate"]
    assert rate["value"] == {
        "percent": 2.0,
        "refunded": "6.10",
        "refunded_minor": 610,
        "received": "305.00",
        "received_minor": 30500,
    }
    assert rate["period"]["start"] == "2026-03-01T00:00:00Z"
    assert rate["as_of"]
    assert rate["method"] == "The money refunded in the period, divided by the money received in it."


@pytest.mark.parametrize("name", ["get_sales_statistics", "get_business_insights"])
def test_an_unknown_period_is_answered_with_those_there_are(name: str, shop: World, server: Process) -> None:
    result = call(server, shop, name, period="last_monday")

    assert result.is_error
    assert "There is no period 'last_monday'. Use today, yesterday, this_week" in result.content[0].text


def test_twenty_products_with_long_names_are_short(acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        for number in range(20):
            sell(product(f"SKU-{number:03}", name="高山烏龍茶禮盒組" * 25, stock=1), 12_345, "2026-03-02")

    result = call(server, acme, "get_sales_statistics", "zh-Hant", period="2026-03", group_by="product")

    text = result.content[0].text
    assert text.count("高山烏龍茶") >= 20
    assert len(text.encode()) < 2500


@pytest.mark.parametrize("name", TOOLS)
def test_an_empty_tenant_has_an_answer(name: str, acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        Product.objects.update(is_active=False, stock=0)
    given = {"period": "2020-02"} if name in {"get_sales_statistics", "get_business_insights"} else {}

    result = call(server, acme, name, **given)

    assert not result.is_error
    assert result.content[0].text
