"""Tools through the official client: tenants, their users, demo data, and what every tool has."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from mcp.shared.exceptions import MCPError

from core.models import Order, OrderStatus, Product, TenantUser
from core.scopes import Scope
from core.services import tenants
from mcp_server.tokens import tokens
from rls import tenant_context
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World, make_tenant, platform_token, working

# As long as a user's name can be.
LONG, LONGER = "用戶" * 25, "美" * 50
CREATED = "2025-07-10 06:53:11.870087+00:00"


def call(
    server: Process, tenant: str, token: str, name: str, arguments: dict[str, Any], era: Era = "2026-07-28"
) -> Any:
    """One tool call, and nothing else."""

    async def story() -> Any:
        async with connected(server.mcp(tenant), token, era) as client:
            why = {} if tenant or name == "add_numbers" else {"reason": "a test"}
            return await client.call_tool(name, arguments | why)

    return asyncio.run(story())


def test_the_english_twins(acme: World, globex: World, server: Process, admin: psycopg.Connection) -> None:
    admin.execute("UPDATE core_tenant SET created_at = %s", [CREATED])

    listed = call(server, "acme", acme.token, "list_tenants", {})
    info = call(server, "acme", acme.token, "get_tenant_info", {})

    assert listed.content[0].text == "Tenants:\n- Acme (acme) - active - 1 users - created 2025-07-10 06:53:11"
    assert info.content[0].text == (
        "Tenant:\n"
        "- Name: Acme\n"
        "- Subdomain: acme\n"
        "- Created: 2025-07-10 06:53:11.870087+00:00\n"
        "- Status: active\n"
        "- Users: 1"
    )


@pytest.mark.django_db
def test_a_tenant_is_spoken_to_in_its_locale(server: Process) -> None:
    world = make_tenant("taipei", "台北", locale="zh-hant")

    result = call(server, "taipei", world.token, "get_tenant_users", {})

    assert result.content[0].text == "用戶列表:\n- ada (員工) - ada@taipei.example"


def test_the_platform_sees_a_suspended_tenant_and_says_so(acme: World, globex: World, server: Process) -> None:
    with working():
        tenants.set_active("acme", active=False)

    result = call(server, "", platform_token(), "list_tenants", {})

    assert "Acme (acme) - 停用" in result.content[0].text
    assert [tenant["is_active"] for tenant in result.structured_content["tenants"]] == [False, True]


def test_users_are_those_of_the_tenant(acme: World, globex: World, server: Process) -> None:
    result = call(server, "acme", acme.token, "get_tenant_users", {})

    assert result.structured_content == {
        "users": [{"username": "ada", "email": "ada@acme.example", "role": "staff"}],
        "has_more": False,
        "next_cursor": None,
    }


def test_a_list_of_users_goes_on_where_it_ended(acme: World, globex: World, server: Process) -> None:
    for world in (acme, globex):
        with tenant_context(world.id):
            TenantUser.objects.bulk_create(
                TenantUser(username=name, email="x@x.example") for name in ("b", LONG, LONGER)
            )

    first = call(server, "acme", acme.token, "get_tenant_users", {"limit": 3})
    cursor = first.structured_content["next_cursor"]
    second = call(server, "acme", acme.token, "get_tenant_users", {"limit": 3, "cursor": cursor})
    elsewhere = call(server, "globex", globex.token, "get_tenant_users", {"limit": 3, "cursor": cursor})

    assert [user["username"] for user in first.structured_content["users"]] == ["ada", "b", LONG]
    assert [user["username"] for user in second.structured_content["users"]] == [LONGER]
    assert f"cursor={cursor}" in first.content[0].text
    assert (first.structured_content["has_more"], second.structured_content["has_more"]) == (True, False)
    assert elsewhere.is_error


@pytest.mark.django_db
def test_a_list_of_twenty_users_is_short(server: Process) -> None:
    world = make_tenant("taipei", "台北", locale="zh-hant")
    with tenant_context(world.id):
        TenantUser.objects.bulk_create(
            TenantUser(username=f"{'用戶' * 5}{number}", email=f"someone.{number}@a-rather-long-domain.example.com")
            for number in range(30)
        )

    result = call(server, "taipei", world.token, "get_tenant_users", {})

    assert len(result.structured_content["users"]) == 20
    assert len(result.content[0].text.encode()) < 2500


@pytest.fixture
def trial(acme: World) -> str:
    """A token with every scope for a tenant, `trial`, that has no order yet; acme trades."""
    with working():
        tenants.create(subdomain="trial", name="Trial", locale="en")
        return tokens.create(name="trial token", slug="trial", scopes=Scope)


def test_demo_data_goes_into_the_tenant_of_the_url(trial: str, server: Process, admin: psycopg.Connection) -> None:
    result = call(server, "trial", trial, "create_demo_data", {"orders": 3, "seed": 7})
    again = call(server, "trial", trial, "create_demo_data", {"orders": 1})

    counts = dict(
        admin.execute(
            "SELECT t.subdomain, count(*) FROM core_order o JOIN core_tenant t ON t.id = o.tenant_id GROUP BY 1"
        )
    )
    actors = admin.execute(
        "SELECT DISTINCT actor FROM core_stockmovement m JOIN core_tenant t ON t.id = m.tenant_id"
        " WHERE t.subdomain = 'trial'"
    ).fetchall()
    assert result.structured_content["orders"] == 3
    assert "Added 3 users, 8 products, 3 customers, 3 orders with " in result.content[0].text
    assert not again.is_error
    assert counts == {"acme": 1, "trial": 4}
    assert actors == [("trial token",)]


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_shop_that_trades_gets_no_demo_data(is_cancelled: bool, acme: World, server: Process) -> None:
    if is_cancelled:
        with tenant_context(acme.id):
            Order.objects.update(status=OrderStatus.CANCELLED, cancelled_at=timezone.now(), customer=None)

    result = call(server, "acme", acme.token, "create_demo_data", {"orders": 1})

    assert result.is_error
    assert result.content[0].text.startswith("This shop trades: it has orders that are not of the demo")
    with tenant_context(acme.id):
        assert (Order.objects.count(), Product.objects.count()) == (1, 1)


def test_a_shop_with_products_and_a_draft_does_not_trade_yet(acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        Order.objects.update(status=OrderStatus.DRAFT, placed_at=None, cancelled_at=None)

    assert not call(server, "acme", acme.token, "create_demo_data", {"orders": 1}).is_error


def test_no_token_has_demo_data_by_default(acme: World, server: Process) -> None:
    with working():
        token = tokens.create(name="a new token", slug="acme")

    with pytest.raises(ExceptionGroup) as refused:
        call(server, "acme", token, "create_demo_data", {"orders": 1})

    assert refused.group_contains(MCPError, match="There is no tool create_demo_data")


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_demo_data_says_how_far_it_is(era: Era, trial: str, stateful_server: Process) -> None:
    said: list[tuple[float, float | None]] = []

    async def progressed(done: float, total: float | None, message: str | None) -> None:
        said.append((done, total))

    async with connected(stateful_server.mcp("trial"), trial, era) as client:
        result = await client.call_tool("create_demo_data", {"size": "medium"}, progress_callback=progressed)

    assert result.structured_content["orders"] == 1000
    assert said == [(500, 1000), (1000, 1000)]


@pytest.mark.parametrize("tenant", ["acme", ""])
def test_numbers_are_added_at_both_endpoints(tenant: str, acme: World, server: Process) -> None:
    token = acme.token if tenant else platform_token()

    result = call(server, tenant, token, "add_numbers", {"a": 2, "b": 0.5})

    assert (result.content[0].text, result.structured_content) == ("2.5", {"result": 2.5})


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("create_demo_data", {"orders": 101}, "orders: Input should be less than or equal to 100"),
        ("create_demo_data", {"orders": "many"}, "orders: Input should be a valid integer"),
        ("add_numbers", {"a": 1}, "b: Field required"),
    ],
)
def test_a_bad_call_is_answered_in_words(
    name: str, arguments: dict[str, Any], words: str, acme: World, server: Process
) -> None:
    result = call(server, "acme", acme.token, name, arguments)

    assert result.is_error
    assert words in result.content[0].text
    assert "pydantic" not in result.content[0].text


@pytest.mark.django_db
def test_a_refusal_is_in_the_tenants_language_from_its_first_word(server: Process) -> None:
    world = make_tenant("taipei", "台北", locale="zh-hant")

    result = call(server, "taipei", world.token, "get_order", {"number": 99})

    assert result.content[0].text == "找不到訂單 99。請呼叫 list_orders 查看訂單編號。"


def listed(server: Process, tenant: str, token: str, era: Era) -> list[Any]:
    async def story() -> list[Any]:
        async with connected(server.mcp(tenant), token, era) as client:
            return list((await client.list_tools()).tools)

    return asyncio.run(story())


@pytest.mark.parametrize("era", ERAS)
def test_every_tool_is_described(era: Era, acme: World, server: Process) -> None:
    at_tenant = listed(server, "acme", acme.token, era)
    at_platform = listed(server, "", platform_token(), era)

    names = [tool.name for tool in at_tenant]
    assert names == sorted(names)
    assert {"list_tenants", "get_tenant_info", "get_tenant_users", "create_demo_data", "add_numbers"} <= set(names)
    assert [tool.name for tool in at_platform if not tool.name.startswith("shop_")] == [  # beside those of tests/shop
        "add_numbers",
        "create_tenant",
        "delete_tenant",
        "get_platform_stats",
        "get_tenant_info",
        "list_tenants",
        "resume_tenant",
        "run_isolation_audit",
        "suspend_tenant",
    ]
    for tool in [*at_tenant, *at_platform]:
        assert tool.title
        assert tool.description
        assert "  " not in tool.description, "ToolSpec.description has a line a paragraph"
        assert tool.output_schema
        assert tool.input_schema["additionalProperties"] is False
        assert None not in (tool.annotations.read_only_hint, tool.annotations.destructive_hint)
        assert tool.annotations.open_world_hint is False


def test_no_tool_of_a_tenant_takes_a_tenant(acme: World, server: Process) -> None:
    for tool in listed(server, "acme", acme.token, "2026-07-28"):
        assert not {"tenant", "tenant_id", "subdomain", "slug"} & tool.input_schema["properties"].keys()


@pytest.mark.django_db
def test_titles_are_in_the_language_of_the_tenant(server: Process) -> None:
    world = make_tenant("taipei", "台北", locale="zh-hant")

    titles = {
        tool.name: (tool.title, tool.annotations.title) for tool in listed(server, "taipei", world.token, ERAS[0])
    }

    assert titles["get_tenant_products"] == ("查詢商品", "查詢商品")
    assert titles["cancel_order"] == ("取消訂單", "取消訂單")
