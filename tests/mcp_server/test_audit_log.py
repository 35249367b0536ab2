"""The audit log through the official client: each change is in it, in its own tenant."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.mcp_tools.tools.settings import TenantSettingsAnswer
from core.models import TenantSettings
from core.scopes import Scope
from core.services.field_changes import FieldChange
from core.services.settings import SettingsChange
from mcp_server.declare.tools import ValueChange
from mcp_server.tokens import tokens
from tests.mcp_server.test_changes import call
from tests.support import raw
from tests.support.processes import ERAS, Era, Process
from tests.support.raw import message, post
from tests.support.world import World, working

LOG = "get_audit_log"
COUNT = {"sku": "A-1", "quantity": 2, "reason": "count"}


@pytest.mark.parametrize("era", ERAS)
def test_a_change_is_logged_with_its_arguments(era: Era, acme: World, globex: World, server: Process) -> None:
    call(server, acme, COUNT, era=era, name="adjust_stock")

    here = call(server, acme, {"action": "adjust_stock", "period": "today"}, era=era, name=LOG)
    elsewhere = call(server, globex, {"action": "adjust_stock"}, era=era, name=LOG)

    [event] = here.structured_content["events"]
    assert (event["action"], event["subject"], event["actor"]) == ("adjust_stock", "product A-1", "acme token")
    assert event["details"] == {**COUNT, "note": ""}
    assert "adjust_stock: product A-1, by acme token" in here.content[0].text
    assert event["changes"] == [{"field": "stock", "before": 5, "after": 7, "unit": ""}]
    stock, details = here.content[0].text.splitlines()[2:4]
    assert stock == "  - Stock: 5, now 7"
    assert json.loads(details) == event["details"]
    assert elsewhere.structured_content == {
        "events": [],
        "has_more": False,
        "next_cursor": None,
        "time_zone": "UTC",
    }


def test_pages_follow_each_other(acme: World, globex: World, server: Process) -> None:
    call(server, acme, COUNT, name="adjust_stock")

    first = call(server, acme, {"limit": 1}, name=LOG)
    cursor = first.structured_content["next_cursor"]
    second = call(server, acme, {"limit": 1, "cursor": cursor}, name=LOG)
    elsewhere = call(server, globex, {"limit": 1, "cursor": cursor}, name=LOG)

    actions = [event["action"] for page in (first, second) for event in page.structured_content["events"]]
    assert actions == ["adjust_stock", "create_order"]
    assert "This cursor does not belong to this list" in elsewhere.content[0].text


def test_an_unknown_period_is_answered_in_words(acme: World, server: Process) -> None:
    result = call(server, acme, {"period": "lately"}, name=LOG)

    assert result.is_error
    assert "There is no period 'lately'." in result.content[0].text


def test_the_log_takes_its_own_scope(acme: World, server: Process) -> None:
    with working():
        token = tokens.create(name="keeper", slug="acme", scopes=[Scope.PRODUCTS_READ])

    answer = raw.result(post(server, acme, message("tools/call", {"name": LOG, "arguments": {}}), token=token))

    assert f"There is no tool {LOG}" in answer["error"]["message"]


def test_who_changed_this_price_and_from_what_is_one_call(acme: World, server: Process) -> None:
    call(server, acme, {"sku": "A-1", "price": "24.50", "name": "Anvil"}, name="update_product")
    call(server, acme, {"sku": "A-1", "quantity": 1, "reason": "count"}, name="adjust_stock")

    log = call(server, acme, {"product": "A-1", "action": "update_product"}, name=LOG, language="zh-Hant")

    [event] = log.structured_content["events"]
    assert (event["actor"], event["subject"]) == ("acme token", "product A-1")
    assert event["changes"] == [
        {"field": "name", "before": "Acme anvil", "after": "Anvil", "unit": ""},
        {"field": "price", "before": "19.99", "after": "24.50", "unit": "EUR"},
        {"field": "price_minor", "before": 1999, "after": 2450, "unit": "EUR"},
    ]
    assert log.content[0].text.splitlines()[2:4] == [
        "  - 名稱：原為 Acme anvil，現為 Anvil",
        "  - 價格：原為 €19.99，現為 €24.50",
    ]


def test_a_status_and_a_setting_are_kept_as_they_were(acme: World, server: Process) -> None:
    call(server, acme, {"number": 1, "status": "shipped"}, name="update_order_status")
    call(
        server, acme, {"max_order": "10", "locale": "zh-hant", "max_discount_percent": 5}, name="manage_tenant_settings"
    )
    call(server, acme, {"sku": "A-1", "is_active": True}, name="set_product_active")

    order = call(server, acme, {"order": 1, "action": "update_order_status"}, name=LOG, language="en")
    chosen = call(server, acme, {"action": "manage_tenant_settings"}, name=LOG, language="en")

    [event] = order.structured_content["events"]
    assert event["changes"] == [{"field": "status", "before": "paid", "after": "shipped", "unit": ""}]
    assert "  - Status: paid, now shipped" in order.content[0].text
    [event] = chosen.structured_content["events"]
    assert {each["field"]: (each["before"], each["after"], each["unit"]) for each in event["changes"]} == {
        "locale": ("en", "zh-hant", ""),
        "max_discount_percent": (10, 5, ""),
        "max_order": ("50000.00", "10.00", "EUR"),
        "max_order_minor": (5_000_000, 1_000, "EUR"),
    }
    assert "  - Language: English, now 繁體中文" in chosen.content[0].text
    assert "  - Largest order without asking: €50,000.00, now €10.00" in chosen.content[0].text
    assert "  - Largest discount without asking: 10%, now 5%" in chosen.content[0].text


def test_a_cancelled_order_says_what_it_was(acme: World, server: Process) -> None:
    dry = call(server, acme, {"number": 1, "reason": "why", "dry_run": True}, name="cancel_order")
    yes = {"confirmation": dry.structured_content["confirmation"]}
    call(server, acme, {"number": 1, "reason": "why", **yes}, name="cancel_order")

    log = call(server, acme, {"order": 1, "action": "cancel_order"}, name=LOG)

    [event] = log.structured_content["events"]
    assert event["changes"] == [{"field": "status", "before": "paid", "after": "cancelled", "unit": ""}]


def test_changes_are_found_by_who_made_them(acme: World, server: Process) -> None:
    with working():
        token = tokens.create(name="till", slug="acme", scopes=Scope)
    till = replace(acme, token=token)
    call(server, till, COUNT, name="adjust_stock")
    call(server, acme, COUNT, name="adjust_stock")

    found = call(server, acme, {"actor": "till"}, name=LOG)
    nobody = call(server, acme, {"actor": "tills"}, name=LOG)
    both = call(server, acme, {"product": "A-1", "order": 1}, name=LOG)

    assert [event["actor"] for event in found.structured_content["events"]] == ["till"]
    assert nobody.structured_content["events"] == []
    assert both.content[0].text == "A change is about a product or an order. Call get_audit_log with one of them."


def test_a_currency_changes_with_what_the_amount_was_before() -> None:
    changes = [FieldChange("currency", "TWD", "JPY"), FieldChange("max_order_minor", 5_000_000, 50_000)]
    row = TenantSettings(currency="JPY", max_order_minor=50_000)

    answer = TenantSettingsAnswer.of(SettingsChange(row, changes))

    assert list(answer.value_changes()) == [
        ValueChange("currency", "TWD", "JPY"),
        ValueChange("max_order", "50000 TWD", "50000 JPY"),
    ]
    assert "found" not in answer.model_dump()
