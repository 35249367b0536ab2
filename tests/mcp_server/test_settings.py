"""A tenant's settings through the official client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core import defaults
from core.services import settings, tenants
from mcp_server.tokens import tokens
from rls import tenant_context
from tests.mcp_server.test_changes import call, person
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World, working

TOOL = "manage_tenant_settings"


def test_without_arguments_the_settings_are_shown(acme: World, globex: World, server: Process) -> None:
    with tenant_context(globex.id):
        settings.change(low_stock_threshold=99)

    result = call(server, acme, {}, name=TOOL)

    assert result.content[0].text == (
        "Settings:\n"
        "- Language: English\n"
        "- Currency: EUR\n"
        "- Time zone: UTC\n"
        "- Reorder level of new products: 5\n"
        "- Largest discount that an assistant may give without asking: 10%\n"
        "- Largest order that an assistant may place without asking: €50,000.00\n"
        "- Largest stock change that an assistant may make without asking: 1,000\n"
        "Money: EUR, 2 decimals. Times: UTC."
    )
    assert result.structured_content["changed"] == []


def test_looking_at_the_settings_is_no_change(acme: World, server: Process) -> None:
    call(server, acme, {}, name=TOOL)
    call(server, acme, {"low_stock_threshold": 7}, name=TOOL)

    log = call(server, acme, {"action": TOOL}, name="get_audit_log")
    assert [event["details"]["low_stock_threshold"] for event in log.structured_content["events"]] == [7]


@pytest.mark.parametrize("era", ERAS)
def test_whoever_chooses_a_language_is_answered_in_it(era: Era, acme: World, server: Process) -> None:
    changed = call(server, acme, {"locale": "zh-hant", "time_zone": "Asia/Taipei"}, era=era, name=TOOL)
    later = call(server, acme, {"search": "anvil"}, era=era, name="get_tenant_products")

    assert changed.content[0].text.startswith(
        "目前的設定（已變更 locale, time_zone）：\n- 語言：繁體中文\n- 幣別：EUR\n- 時區：Asia/Taipei\n"
    )
    assert changed.structured_content["changed"] == ["locale", "time_zone"]
    assert "庫存" in later.content[0].text


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("answer", "percent"), [(True, 30), (False, 10)])
def test_a_person_decides_about_a_cap(
    answer: bool, percent: int, era: Era, acme: World, stateful_server: Process
) -> None:
    asked: list[str] = []
    arguments = {"max_discount_percent": 30}

    call(stateful_server, acme, arguments, era=era, callback=person(answer, asked), name=TOOL)

    assert asked == ["Raise the largest discount that an assistant may give without asking from 10% to 30%?"]
    with tenant_context(acme.id):
        assert settings.get().max_discount_percent == percent


@pytest.mark.django_db
def test_an_empty_shop_chooses_its_currency(server: Process) -> None:
    with working():
        tenant = tenants.create(subdomain="new", name="New", locale="en")
        token = tokens.create(name="new token", slug="new")
    new = World(tenant.id, "new", "New", token, *[tenant.id] * 4)
    asked: list[str] = []

    call(server, new, {"currency": "JPY"}, callback=person(True, asked), name=TOOL)
    made = call(server, new, {"sku": "B-1", "name": "Thing", "price": "500"}, name="create_product")

    assert asked == [
        "Change the currency of this shop from TWD to JPY? The largest order that an assistant may place without "
        "asking is then JP¥50,000; it is NT$50,000 now."
    ]
    assert "¥500" in made.content[0].text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"currency": "USD"}, "The currency can't be changed any more"),
        ({"currency": "usd"}, "There is no currency 'usd'. Use the three letters"),
        ({"currency": "QQQ"}, "There is no currency 'QQQ'."),
        ({"time_zone": "Taipei"}, "Did you mean 'Asia/Taipei'?"),
        ({"locale": "fr"}, "'zh-hant' or 'en'"),
        ({"max_discount_percent": 101}, "max_discount_percent: "),
    ],
)
def test_a_value_that_is_none_is_answered_in_words(
    arguments: dict[str, Any], words: str, acme: World, server: Process
) -> None:
    result = call(server, acme, arguments, name=TOOL)

    assert result.is_error
    assert words in result.content[0].text


def test_the_schema_lists_the_languages_there_are(acme: World, server: Process) -> None:
    async def story() -> Any:
        async with connected(server.mcp("acme"), acme.token) as client:
            return await client.list_tools()

    [schema] = [tool.input_schema for tool in asyncio.run(story()).tools if tool.name == TOOL]

    listed = schema["properties"]["locale"]["anyOf"][0]["enum"]
    assert listed == list(defaults.Locale)
