"""The call pipeline: scopes, errors, one record a call."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import psycopg
import pytest

from tests.support.processes import ERAS, Era, Process, connected, serving
from tests.support.world import World


def call(server: Process, token: str, name: str, era: Era = "2026-07-28") -> Any:
    async def story() -> Any:
        async with connected(server.mcp("acme"), token, era) as client:
            return await client.call_tool(name, {})

    return asyncio.run(story())


def records(server: Process, **facts: str) -> list[dict[str, Any]]:
    """The log records with these facts."""
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if facts.items() <= line.items()]


@pytest.mark.parametrize("era", ERAS)
def test_a_crash_tells_the_caller_a_reference_and_the_log_the_rest(era: Era, acme: World, server: Process) -> None:
    result = call(server, acme.token, "shop_crash", era)

    text = result.content[0].text
    found = re.search(r"shop_crash failed unexpectedly. Report reference (\w{12})\.", text)
    assert result.is_error
    assert "secret" not in text
    assert found
    [record] = records(server, reference=found[1])
    assert "ZeroDivisionError: the secret of the crash" in record["traceback"]
    assert records(server, message="tool call", outcome=found[1])


def test_an_anticipated_failure_keeps_its_words(acme: World, server: Process) -> None:
    result = call(server, acme.token, "shop_refuse")

    assert result.is_error
    assert "Out of anvils. Call shop_names for what there is." in result.content[0].text


def test_a_call_is_one_record_without_data(acme: World, server: Process) -> None:
    before = len(records(server, message="tool call"))

    call(server, acme.token, "shop_names")

    after = records(server, message="tool call")
    assert len(after) == before + 1
    assert after[-1]["tool"] == "shop_names"
    assert after[-1]["tenant"] == "acme"
    assert after[-1]["principal"].startswith(f"{acme.id}:")
    assert after[-1]["outcome"] == "ok"
    assert after[-1]["duration_ms"] > 0
    assert "anvil" not in server.log.read_text()
    assert acme.token not in server.log.read_text()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_product", {f"sku{number}": 1 for number in range(1000)}),
        ("create_order", {"items": [{"sku": "A-1", "quantity": 1, **{f"q{number}": 1 for number in range(1000)}}]}),
    ],
)
async def test_of_a_thousand_problems_some_are_named(
    name: str, arguments: dict[str, Any], acme: World, server: Process
) -> None:
    async with connected(server.mcp("acme"), acme.token) as client:
        result = await client.call_tool(name, arguments)

    assert result.is_error
    assert len(result.content[0].text) < 1000


def test_what_takes_too_long_is_said_so(acme: World, server: Process, admin: psycopg.Connection) -> None:
    admin.execute(f"ALTER ROLE app_tenant IN DATABASE {admin.info.dbname} SET statement_timeout = '50ms'")
    try:
        with serving(server.log.with_name("impatient")) as impatient:
            result = call(impatient, acme.token, "shop_slow")
    finally:
        admin.execute(f"ALTER ROLE app_tenant IN DATABASE {admin.info.dbname} RESET statement_timeout")

    assert result.is_error
    assert result.content[0].text == (
        "This call took too long, and nothing was changed. Ask for less: with more filters, for a shorter period, or "
        "for one thing at a time."
    )
