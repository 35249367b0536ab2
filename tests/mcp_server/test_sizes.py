"""An answer stays under 20,000 tokens: what is cut says so, in both forms, and how to get it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent

from core.models import Customer, Order, OrderItem, Product, TenantUser
from core.services import tenants
from mcp_server.call import sizes
from mcp_server.call.sizes import Asked
from mcp_server.ledger import events
from rls import tenant_context
from tests.mcp_server.test_given import call, text
from tests.mcp_server.test_listed_tools import post
from tests.support.processes import Process
from tests.support.world import World, platform_token, working

pytestmark = pytest.mark.slow

LONG = "高山烏龍茶禮盒"
READS = Asked("get_things", takes_limit=True, is_change=False)
CHANGES = Asked("do_all", takes_limit=False, is_change=True)


def tokens(result: dict[str, Any]) -> int:
    """As the issue counts: a Chinese character is one, four other characters are one; both forms together."""
    words = "".join(block.get("text", "") for block in result["content"])
    words += json.dumps(result.get("structuredContent", ""), ensure_ascii=False)
    wide = len(re.findall("[\u3000-\u9fff\uff00-\uffef]", words))
    return wide + (len(words) - wide) // 4


@pytest.fixture
def full(acme: World) -> World:
    """A tenant whose every text is as long as it can be, and Chinese."""
    with tenant_context(acme.id):
        for number in range(100):
            events.write(
                action="update_product",
                subject=f"product {LONG * 9}{number:03}",
                actor="acme token",
                details={"sku": "A-1", "description": (LONG * 720)[:5000]},
            )
        goods = Product.objects.bulk_create(
            Product(
                sku=f"{number:03}{LONG * 10}"[:64],
                name=(LONG * 30)[:200],
                category=f"{number:03}{LONG * 20}"[:100],
                description=(LONG * 720)[:5000],
                price_minor=1999,
                currency="EUR",
                stock=1,
                reorder_level=2,
            )
            for number in range(200)
        )
        buyer = Customer.objects.create(email=f"{'a' * 200}@shop.example", name=(LONG * 30)[:200])
        orders = Order.objects.bulk_create(
            Order(number=100 + number, customer=buyer, currency="EUR", total_minor=1, note=(LONG * 200)[:1000])
            for number in range(100)
        )
        OrderItem.objects.bulk_create(
            OrderItem(order=orders[0], product=each, quantity=1, price_minor=1999, currency="EUR") for each in goods
        )
        TenantUser.objects.bulk_create(
            TenantUser(username=f"{number:03}{LONG * 20}"[:50], email=f"{'b' * 200}@shop.example")
            for number in range(100)
        )
    return acme


@pytest.mark.parametrize("language", ["en", "zh-TW"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_audit_log", {}),
        ("get_audit_log", {"limit": 100}),
        ("get_order", {"number": 100}),
        ("get_order", {"number": 100, "first_line": 51}),
        ("list_orders", {"limit": 100}),
        ("get_tenant_products", {}),
        ("get_tenant_products", {"limit": 100}),
        ("get_inventory", {"limit": 100}),
        ("get_product", {"sku": f"000{LONG * 10}"[:64]}),
        ("get_product_stats", {}),
        ("get_tenant_users", {"limit": 100}),
        ("get_business_insights", {"limit": 20}),
        ("get_sales_statistics", {"group_by": "product", "limit": 100}),
        ("get_sales_statistics", {"period": "2024-01-01..2026-12-31"}),
        ("create_order", {"items": [{"sku": f"{n:03}{LONG * 10}"[:64], "quantity": 1} for n in range(50)]}),
        ("add_order_item", {"number": 100, "sku": f"000{LONG * 10}"[:64], "quantity": 1}),
        ("place_order", {"number": 100, "dry_run": True}),
        ("update_product", {"sku": "A-1", "description": (LONG * 720)[:5000]}),
        ("get_tenant_products", {"category": "x" * 99}),
        ("create_order", {"items": [{"sku": f"{LONG * 8}{n}", "quantity": 1} for n in range(50)]}),
    ],
)
def test_no_answer_is_longer_than_clients_show(
    name: str, arguments: dict[str, Any], language: str, full: World, server: Process
) -> None:
    result = call(server, full, name, arguments, language)

    assert tokens(result) < 20_000
    assert "unexpectedly" not in text(result)
    if result["isError"]:
        assert re.search(r"limit=\d|get_tenant_products|set_product_active", text(result))
    elif "…" in json.dumps(result["structuredContent"], ensure_ascii=False):
        cut = result["structuredContent"]["cut"]
        assert text(result).endswith(cut)


def test_the_log_says_how_to_see_what_is_cut(full: World, server: Process) -> None:
    cut = call(server, full, "get_audit_log", {})
    limit = re.search(r"get_audit_log limit=(\d+)", cut["structuredContent"]["cut"])
    assert limit
    whole = call(server, full, "get_audit_log", {"limit": int(limit[1])})

    assert len(cut["structuredContent"]["events"]) == 20
    assert cut["structuredContent"]["next_cursor"] in text(cut)
    assert all(each["details"]["description"].endswith("…") for each in cut["structuredContent"]["events"])
    assert "cut" not in whole["structuredContent"]
    assert len(whole["structuredContent"]["events"][0]["details"]["description"]) == 5000


def test_an_order_of_200_lines_is_read_to_its_end(full: World, server: Process) -> None:
    seen, line = [], 1
    while line is not None:
        result = call(server, full, "get_order", {"number": 100, "first_line": line})
        seen += [each["sku"] for each in result["structuredContent"]["lines"]]
        line = result["structuredContent"]["next_line"]
        assert (f"first_line={line}" in text(result)) is (line is not None)
        assert all(sku in text(result) for sku in seen[-50:])

    assert len(set(seen)) == len(seen) == 200


def test_the_lists_of_the_platform_are_short_too(server: Process, acme: World) -> None:
    with working():
        for number in range(100):
            tenants.create(subdomain=f"{number:03}-{'a' * 59}", name=(LONG * 15)[:100])

    for name in ("list_tenants", "get_platform_stats"):
        arguments = {"reason": LONG, **({"limit": 100} if name == "list_tenants" else {})}
        result = call(server, acme, name, arguments, token=platform_token())
        assert not result["isError"]
        assert tokens(result) < 20_000


@pytest.mark.parametrize("uri", ["order://100", f"product://{'A-1'}", "report://sales/2026", "tenant://schema"])
def test_what_is_read_is_short_too(uri: str, full: World, server: Process) -> None:
    with tenant_context(full.id):
        Product.objects.filter(sku="A-1").update(description=(LONG * 720)[:5000])

    answer = post(server, "acme", full.token, "resources/read", {"uri": uri}).json()

    words = "".join(each["text"] for each in answer["result"]["contents"])
    assert tokens({"content": [{"text": words}]}) < 20_000


@pytest.mark.parametrize("name", ["customer_follow_up", "daily_briefing", "month_end_report", "restock_plan"])
def test_what_a_prompt_brings_is_short_too(name: str, full: World, server: Process) -> None:
    answer = post(server, "acme", full.token, "prompts/get", {"name": name}).json()

    words = "".join(each["content"]["text"] for each in answer["result"]["messages"])
    assert tokens({"content": [{"text": words}]}) < 20_000


def test_a_third_partys_tool_is_held_to_it(acme: World, server: Process) -> None:
    def raw(statement: str) -> dict[str, Any]:
        return call(server, acme, "shop_raw", {"statement": statement})

    cut = raw("SELECT repeat('茶', 5000) FROM generate_series(1, 50)")
    refused = raw("SELECT 'row ' || n FROM generate_series(1, 20000) AS n")
    failed = raw(f"SELECT '{LONG * 5000}'::int")

    assert tokens(cut) < 20_000
    assert text(cut).endswith(cut["structuredContent"]["cut"])
    assert text(refused).startswith("This answer is too long: about ")
    assert tokens(failed) < 5_000


# The guard itself.


def result_of(structured: dict[str, Any], words: str = "") -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=words)], structured_content=structured)


def test_what_fits_is_left_alone() -> None:
    result = result_of({"rows": ["a" * 1000] * 19}, "b" * 50_000)

    assert sizes.fitted(result, READS) is result


def test_a_cursor_and_a_link_are_never_cut() -> None:
    handle = "https://shop.example/t/acme/exports/" + "x" * 300
    structured = {"rows": [{"note": LONG * 100, "url": handle}] * 50, "next_cursor": "c" * 150}
    words = "\n".join([LONG * 100] * 50 + [f"{'There are more: ' * 30}call again with cursor={'c' * 150}"])

    cut = sizes.fitted(result_of(structured, words), READS)

    assert cut.structured_content is not None
    assert cut.structured_content["next_cursor"] == "c" * 150
    assert {row["url"] for row in cut.structured_content["rows"]} == {handle}
    assert all(row["note"].endswith("…") for row in cut.structured_content["rows"])
    assert f"cursor={'c' * 150}" in cut.content[0].text  # type: ignore[union-attr]  # it is a text


def test_what_is_too_long_when_cut_is_refused_with_a_call_that_is_not() -> None:
    rows = [{"name": LONG * 8, "number": number} for number in range(1000)]

    with translation.override("en"), pytest.raises(ToolError) as refusal:
        sizes.fitted(result_of({"rows": rows}), READS)

    limit = re.search(r"Call get_things limit=(\d+) instead", str(refusal.value))
    assert limit
    assert sizes.size(sizes.fitted(result_of({"rows": rows[: int(limit[1])]}), READS)) <= sizes.MAX_TOKENS


def test_a_tool_without_a_limit_is_to_be_asked_for_less() -> None:
    asked = Asked("get_all", takes_limit=False, is_change=False)

    with translation.override("en"), pytest.raises(ToolError, match="Ask for less"):
        sizes.fitted(result_of({"rows": list(range(100_000))}), asked)


def test_what_was_done_is_never_refused() -> None:
    rows = {"rows": [{"name": LONG * 8} for _ in range(5000)], "confirmation": "c" * 150}

    with translation.override("en"):
        cut = sizes.fitted(result_of(rows, "\n".join([LONG] * 20_000)), CHANGES)

    assert cut.structured_content is not None
    assert cut.structured_content["cut"].startswith("It is done. At most ")
    assert cut.structured_content["confirmation"] == "c" * 150
    assert cut.content[0].text.endswith(cut.structured_content["cut"])  # type: ignore[union-attr]  # it is a text
    assert sizes.size(cut) <= sizes.MAX_TOKENS


@pytest.mark.parametrize(
    "structured",
    [
        {"prices": {f"sku {number}": LONG for number in range(20_000)}},
        {"links": {"all": {f"{number:0300}": "x" * 300 for number in range(500)}}},
        {f"{number:03}": "x" * 900 for number in range(500)},
    ],
    ids=["an object", "handles by name", "handles"],
)
def test_what_was_done_is_told_whatever_is_long_in_it(structured: dict[str, Any]) -> None:
    needed = {"confirmation": "c" * 150, "next_cursor": "n" * 150}

    with translation.override("en"):
        cut = sizes.fitted(result_of({**structured, **needed}, "\n".join([LONG] * 20_000)), CHANGES)

    assert cut.structured_content is not None
    assert cut.structured_content["cut"].startswith("It is done. ")
    assert cut.structured_content.items() >= needed.items()
    assert cut.content[0].text.endswith(cut.structured_content["cut"])  # type: ignore[union-attr]  # it is a text
    assert sizes.size(cut) <= sizes.MAX_TOKENS


@pytest.mark.parametrize("rows", [{"rows": ["x"] * 50_000}, {"links": {str(n): "x" * 900 for n in range(50)}}])
def test_a_dry_run_that_is_cut_says_that_nothing_was_changed_and_how_to_do_it(rows: dict[str, Any]) -> None:
    question, step = "A person has to agree first: 50000 rows?", f"call do_all with confirmation={'c' * 150}."
    dry_run = {**rows, "dry_run": True, "confirmation": "c" * 150}
    words = "\n".join(["Dry run: nothing was changed.", *["row"] * 50_000, question, step])

    with translation.override("en"):
        cut = sizes.fitted(result_of(dry_run, words), CHANGES)

    assert cut.structured_content is not None
    told = cut.content[0].text  # type: ignore[union-attr]  # it is a text
    assert cut.structured_content["cut"].startswith("Nothing was changed. ")
    assert cut.structured_content["dry_run"] is True
    assert told.endswith(f"{question}\n{step}\n{cut.structured_content['cut']}")
    assert "It is done" not in told
    assert sizes.size(cut) <= sizes.MAX_TOKENS


def test_an_object_by_name_is_shortened_as_a_list_and_a_row_keeps_its_fields() -> None:
    row = {f"field {number}": number for number in range(20)}
    structured = {"prices": {f"sku {number}": LONG for number in range(20_000)}, "rows": [row]}

    with translation.override("en"):
        cut = sizes.fitted(result_of(structured), CHANGES)

    assert cut.structured_content is not None
    assert len(cut.structured_content["prices"]) == 50
    assert cut.structured_content["rows"] == [row]


def test_texts_that_are_read_fit_together() -> None:
    notes = json.dumps({"notes": [LONG * 500] * 20})

    first, second = sizes.fitted_texts([notes, "<svg/>"])

    assert json.loads(first)["cut"]
    assert second == "<svg/>"
    assert sizes.tokens(first) <= sizes.MAX_TOKENS
    with pytest.raises(ToolError):
        sizes.fitted_texts(["<svg>" + "x" * 100_000])


def test_an_error_is_brief() -> None:
    assert sizes.brief("Call again.") == "Call again."
    long = sizes.brief(f"{LONG * 10_000} Call get_things.")
    assert sizes.tokens(long) <= 4_001
    assert long.startswith(LONG)
    assert long.endswith(" Call get_things.")


@settings(derandomize=True, database=None)
@given(st.text())
def test_tokens_are_counted_as_it_is_said(words: str) -> None:
    wide = len(re.findall("[\u3000-\u9fff\uac00-\ud7a3\uff00-\uffef]", words))

    assert sizes.tokens(words) >= wide + (len(words) - wide) // 4
    assert sizes.tokens(words) <= len(words)
