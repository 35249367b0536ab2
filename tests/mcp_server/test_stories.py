"""A shop keeper's work as an assistant does it with its person: each story whole, in both languages and both eras."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from mcp import Client

from core.models import ExportFormat, OrderStatus, TenantSettings
from core.services import product_changes
from rls import tenant_context
from tests.core.test_exports import tables
from tests.mcp_server.test_changes import person
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.selling import pay, product, sell
from tests.support.world import World, make_tenant

in_both_eras = pytest.mark.parametrize("era", ERAS)


@dataclass(frozen=True, slots=True)
class Assistant:
    """A connected client, all of whose calls are expected to work."""

    client: Client

    async def call(self, name: str, **arguments: Any) -> Any:
        result = await self.client.call_tool(name, arguments)
        assert not result.is_error, result.content[0].text
        return result

    async def prompted(self, name: str, **arguments: str) -> list[str]:
        """The lines of a prompt."""
        contents = [message.content for message in (await self.client.get_prompt(name, arguments)).messages]
        return [line for each in contents for line in each.text.splitlines()]


@pytest.fixture
def shop(locale: str) -> World:
    """A tenant that speaks the language."""
    return make_tenant("shop", "Shop", locale=locale)


@pytest.fixture
def asking(era: Era, request: pytest.FixtureRequest) -> Process:
    """A server that can ask a person: in the older era that takes sessions."""
    server: Process = request.getfixturevalue("stateful_server" if era == "legacy" else "server")
    return server


def lived(
    server: Process, world: World, era: Era, story: Callable[[Assistant], Awaitable[list[Any]]]
) -> tuple[list[Any], list[str]]:
    """What the story gives, and what its person, who agrees to everything, was asked."""
    asked: list[str] = []

    async def run() -> list[Any]:
        callback = person(True, asked)
        async with connected(server.mcp("shop"), world.token, era, elicitation_callback=callback) as client:
            return await story(Assistant(client))

    return asyncio.run(run()), asked


def lines(result: Any) -> list[str]:
    """What a person reads, but for what money and times are in."""
    text: str = result.content[0].text
    return [line for line in text.splitlines() if not line.startswith(("Money: ", "Times: ", "幣別：", "時區："))]


RESTOCK = {
    "en": {
        "short": ["Stock, the shortest first:", "- TEA-1 Oolong: 2 in stock, LOW (reorder level 5)"],
        "plan": "Make a restock plan.",
        "figure": "- TEA-1 Oolong: €5.00, 2 in stock (low)",
        "question": (
            "Change the stock of TEA-1 by 1,200 units? An assistant may change it by up to 1,000 units without asking."
        ),
        "bought": ["TEA-1 Oolong: 2 in stock before, 1,202 now."],
        "after": ["No products match these filters."],
        "event": " adjust_stock: product TEA-1, by shop token",
    },
    "zh-hant": {
        "short": ["庫存（最需補貨者在前）：", "- TEA-1 Oolong：庫存 2，偏低（補貨點 5）"],
        "plan": "請擬定補貨計畫。",
        "figure": "- TEA-1 Oolong：€5.00，庫存 2（偏低）",
        "question": "要將 TEA-1 的庫存異動 1,200 件嗎？助理未經詢問最多只能異動 1,000 件。",
        "bought": ["TEA-1 Oolong：庫存原為 2，現為 1,202。"],
        "after": ["沒有符合條件的商品。"],
        "event": " adjust_stock：product TEA-1，經手人：shop token",
    },
}


@in_both_eras
@pytest.mark.parametrize(("locale", "words"), RESTOCK.items())
@pytest.mark.django_db
def test_what_is_short_is_bought(words: dict[str, Any], era: Era, shop: World, asking: Process) -> None:
    with tenant_context(shop.id):
        product_changes.create(sku="TEA-1", name="Oolong", price=Decimal(5), actor="tests", opening_stock=2)

    async def story(assistant: Assistant) -> list[Any]:
        return [
            await assistant.call("get_inventory", low_only=True),
            await assistant.prompted("restock_plan"),
            await assistant.call("adjust_stock", sku="TEA-1", quantity=1200, reason="purchase", note="Invoice 7"),
            await assistant.call("get_inventory", low_only=True),
            await assistant.call("get_audit_log", action="adjust_stock"),
        ]

    (short, plan, bought, after, log), asked = lived(asking, shop, era, story)

    assert [lines(short), lines(bought), lines(after)] == [words["short"], words["bought"], words["after"]]
    assert asked == [words["question"]]
    assert plan[0] == words["plan"]
    assert plan[-3] == words["figure"]
    assert "product://TEA-1" in plan[-1]
    assert (bought.structured_content["stock_after"], bought.structured_content["is_low"]) == (1202, False)
    assert after.structured_content["products"] == []
    [event] = log.structured_content["events"]
    assert event["details"] == {"sku": "TEA-1", "quantity": 1200, "reason": "purchase", "note": "Invoice 7"}
    assert lines(log)[1].endswith(words["event"])


SALE = {
    "en": {
        "found": ["Products:", "- A-1 Shop anvil: €19.99, 5 in stock"],
        "questions": [
            "The discount of €5.00 is 12.5% of the goods (€39.98), above the limit of 10%. "
            "Create the order with this discount?",
            "The total of order 2 is €34.98, above the limit of €30.00. Place the order?",
        ],
        "heading": ("Order 2 (draft), ", ", Bip <bip@shop.example>: €34.98"),
        "lines": ["- 2 x A-1 Shop anvil at €19.99: €39.98", "- Discount: €5.00"],
        "ends": [
            "It can become: placed (place_order), cancelled (cancel_order)",
            "It can become: paid (update_order_status status=paid), cancelled (cancel_order)",
            "It can become: shipped (update_order_status status=shipped), cancelled (cancel_order)",
            "It can become: delivered (update_order_status status=delivered)",
        ],
        "listed": ("- #2 shipped ", " Bip <bip@shop.example>: €34.98, 2 units"),
    },
    "zh-hant": {
        "found": ["商品列表：", "- A-1 Shop anvil：€19.99，庫存 5"],
        "questions": [
            "折扣 €5.00 是商品金額（€39.98）的 12.5%，超過上限 10%。要以此折扣建立訂單嗎？",
            "訂單 2 的總額為 €34.98，超過上限 €30.00。要下單嗎？",
        ],
        "heading": ("訂單 2（草稿），", "，Bip <bip@shop.example>：€34.98"),
        "lines": ["- 2 x A-1 Shop anvil，單價 €19.99：€39.98", "- 折扣：€5.00"],
        "ends": [
            "可變更為：已下單（place_order）、已取消（cancel_order）",
            "可變更為：已付款（update_order_status status=paid）、已取消（cancel_order）",
            "可變更為：已出貨（update_order_status status=shipped）、已取消（cancel_order）",
            "可變更為：已送達（update_order_status status=delivered）",
        ],
        "listed": ("- #2 已出貨 ", " Bip <bip@shop.example>：€34.98，2 件"),
    },
}


@in_both_eras
@pytest.mark.parametrize(("locale", "words"), SALE.items())
@pytest.mark.django_db
def test_an_order_is_taken(words: dict[str, Any], era: Era, shop: World, asking: Process) -> None:
    with tenant_context(shop.id):
        TenantSettings.objects.update(max_order_minor=3000)
    wanted = {"items": [{"sku": "A-1", "quantity": 2}], "discount": "5"}
    buyer = {"customer_email": "Bip@shop.example", "customer_name": "Bip"}

    async def story(assistant: Assistant) -> list[Any]:
        return [
            await assistant.call("get_tenant_products", search="anvil"),
            await assistant.call("create_order", **wanted, **buyer),
            await assistant.call("place_order", number=2),
            await assistant.call("update_order_status", number=2, status="paid", payment_method="cash"),
            await assistant.call("update_order_status", number=2, status="shipped"),
            await assistant.call("list_orders", customer="bip@shop.example"),
            await assistant.call("get_product", sku="A-1"),
        ]

    (found, *steps, listed, sold), asked = lived(asking, shop, era, story)

    assert lines(found) == words["found"]
    assert asked == words["questions"]
    before, after = words["heading"]
    assert lines(steps[0])[0].startswith(before)
    assert lines(steps[0])[0].endswith(after)
    assert [lines(step)[1:3] for step in steps] == [words["lines"]] * 4
    assert [lines(step)[-1] for step in steps] == words["ends"]
    assert [step.structured_content["status"] for step in steps] == ["draft", "placed", "paid", "shipped"]
    [payment] = steps[-1].structured_content["payments"]
    assert (payment["kind"], payment["method"], payment["amount_minor"]) == ("payment", "cash", 3498)
    before, after = words["listed"]
    assert lines(listed)[1].startswith(before)
    assert lines(listed)[1].endswith(after)
    movement = sold.structured_content["movements"][0]
    assert (movement["quantity"], movement["stock_after"], movement["order_number"]) == (-2, 3, 2)


CANCELLED = {
    "en": {
        "question": "Order 1 is paid. Cancelling it returns its units (2) to stock and refunds €39.98. Cancel it?",
        "seen": "It can become: shipped (update_order_status status=shipped), cancelled (cancel_order)",
        "done": "Back in stock: 2 units. Refunded: €39.98.",
        "refund": " refund (card): €39.98, by shop token",
        "movement": ": +2 (return), 7 after it, by shop token",
        "week": "Discounts €0.00, payments €39.98, refunds €39.98 (1), cancelled orders 1",
        "refused": "Order 1 is cancelled and can't become cancelled: its status is final.",
    },
    "zh-hant": {
        "question": "訂單 1 目前為「已付款」。取消後會有 2 件商品回到庫存，並退款 €39.98。要取消嗎？",
        "seen": "可變更為：已出貨（update_order_status status=shipped）、已取消（cancel_order）",
        "done": "已回補庫存：2 件。已退款：€39.98。",
        "refund": " 退款（信用卡）：€39.98，經手人：shop token",
        "movement": "：+2（退貨），異動後 7，經手人：shop token",
        "week": "折扣 €0.00，收款 €39.98，退款 €39.98（1 筆），取消訂單 1 筆",
        "refused": "訂單 1 目前為「已取消」，無法變更為「已取消」",
    },
}


@in_both_eras
@pytest.mark.parametrize(("locale", "words"), CANCELLED.items())
@pytest.mark.django_db
def test_an_order_is_cancelled(words: dict[str, str], era: Era, shop: World, asking: Process) -> None:
    cancel = {"number": 1, "reason": "arrived broken"}

    async def story(assistant: Assistant) -> list[Any]:
        return [
            await assistant.call("get_order", number=1),
            await assistant.call("cancel_order", **cancel),
            await assistant.call("get_product", sku="A-1"),
            await assistant.call("get_sales_statistics", period="last_7_days"),
            await assistant.client.call_tool("cancel_order", cancel),
        ]

    (seen, done, back, week, again), asked = lived(asking, shop, era, story)

    assert asked == [words["question"]]
    assert lines(seen)[-1] == words["seen"]
    assert lines(done)[-1] == words["done"]
    assert lines(done)[-2].endswith(words["refund"])
    assert (done.structured_content["returned_units"], done.structured_content["refund_minor"]) == (2, 3998)
    assert (back.structured_content["stock"], back.structured_content["movements"][0]["note"]) == (7, "arrived broken")
    assert any(words["movement"] in line and "arrived broken" in line for line in lines(back))
    assert lines(week)[1] == words["week"]
    assert week.structured_content["totals"]["revenue_minor"] == 0
    assert again.is_error
    assert lines(again)[0].startswith(words["refused"])


MONTH_END = {
    "en": {
        "sales": [
            "Sales from Mar 1, 2026 to Mar 31, 2026: revenue €325.00, orders 2, units 33, average order €162.50",
            "Discounts €5.00, payments €305.00, refunds €6.10 (1), cancelled orders 1",
            "Compared with the period before (Feb 1, 2026 to Feb 28, 2026): revenue +62.5%, orders +100%, units +65%",
        ],
        "chart": "Revenue from Mar 1, 2026 to Mar 31, 2026",
        "request": "Write the month-end report for Mar 1, 2026 to Mar 31, 2026.",
        "best": "- CUP Cup: €310.00, orders 1, units 31",
        "exported": "Exported 23 rows as Excel, ",
    },
    "zh-hant": {
        "sales": [
            "2026年3月1日至2026年3月31日的銷售：營收 €325.00，訂單 2 筆，售出 33 件，平均每筆訂單 €162.50",
            "折扣 €5.00，收款 €305.00，退款 €6.10（1 筆），取消訂單 1 筆",
            "與前一期間（2026年2月1日至2026年2月28日）相比：營收 +62.5%，訂單 +100%，件數 +65%",
        ],
        "chart": "2026年3月1日至2026年3月31日的營收",
        "request": "請撰寫 2026年3月1日至2026年3月31日的月結報表。",
        "best": "- CUP Cup：€310.00，訂單 1 筆，31 件",
        "exported": "已匯出 23 列資料，格式為 Excel，共 ",
    },
}


@in_both_eras
@pytest.mark.parametrize(("locale", "words"), MONTH_END.items())
@pytest.mark.django_db
def test_a_month_ends(words: dict[str, Any], era: Era, shop: World, server: Process) -> None:
    with tenant_context(shop.id):
        cup, pot = product("CUP", name="Cup"), product("POT", name="Pot")
        pay(sell(cup, 31, "2026-03-02", discount=500), 30500, "2026-03-02")
        sell(pot, 2, "2026-03-09")
        pay(sell(cup, 1, "2026-03-04", status=OrderStatus.CANCELLED), 610, "2026-03-05", "refund")
        sell(cup, 20, "2026-02-02")

    async def story(assistant: Assistant) -> list[Any]:
        return [
            await assistant.call("get_sales_statistics", period="2026-03", group_by="week"),
            (await assistant.client.read_resource("report://sales/2026-03")).contents,
            await assistant.prompted("month_end_report", month="2026-03"),
            await assistant.call("export_tenant_data", format="xlsx"),
        ]

    (sales, (figures, chart), report, exported), asked = lived(server, shop, era, story)

    assert asked == []
    assert lines(sales)[:3] == words["sales"]
    assert json.loads(figures.text)["totals"] == sales.structured_content["totals"]
    assert sales.structured_content["differences"]["revenue_minor"] == {"absolute": 12500, "percent": 62.5}
    assert words["chart"] in chart.text
    assert report[0] == words["request"]
    assert set(report) >= {*lines(sales)[:-1], words["best"]}
    assert "report://sales/2026-03" in report[-1]
    assert lines(exported)[0].startswith(words["exported"])
    file = httpx2.get(exported.structured_content["url"])
    assert {row["sku"] for row in tables(ExportFormat.XLSX, file.content)["products"]} == {"A-1", "CUP", "POT"}
