"""The tools of the source document, through the official client. Its transcripts are replayed line for line."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from core.services import tenants
from tests.mcp_server.processes import ERAS, Era, Process, connected
from tests.world import World, make_tenant, platform_token, working

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


@pytest.fixture
def document(admin: psycopg.Connection) -> str:
    """The two tenants of the source document, and a platform token."""
    with working():
        for number in (1, 2):
            tenants.create(subdomain=f"test{number}", name=f"測試租戶{number}")
    admin.execute("UPDATE core_tenant SET created_at = %s", [CREATED])
    return platform_token()


@pytest.mark.parametrize("era", ERAS)
def test_the_first_transcript(era: Era, document: str, server: Process) -> None:
    result = call(server, "", document, "list_tenants", {"random_string": "list"}, era)

    assert result.content[0].text == (
        "租戶列表:\n"
        "- 測試租戶1 (test1) - 啟用 - 0 用戶 - 創建於 2025-07-10 06:53:11\n"
        "- 測試租戶2 (test2) - 啟用 - 0 用戶 - 創建於 2025-07-10 06:53:11"
    )


@pytest.mark.parametrize("era", ERAS)
def test_the_second_transcript(era: Era, document: str, server: Process) -> None:
    result = call(server, "", document, "get_tenant_info", {"tenant": "test2"}, era)

    assert result.content[0].text == (
        "租戶資訊:\n"
        "- 名稱: 測試租戶2\n"
        "- 子域名: test2\n"
        "- 創建時間: 2025-07-10 06:53:11.870087+00:00\n"
        "- 狀態: 啟用\n"
        "- 用戶數量: 0"
    )
    assert result.structured_content == {
        "name": "測試租戶2",
        "subdomain": "test2",
        "is_active": True,
        "user_count": 0,
        "created_at": "2025-07-10T06:53:11.870087Z",
    }


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


def test_a_tenant_is_spoken_to_in_its_locale(server: Process) -> None:
    world = make_tenant("taipei", "台北", locale="zh-hant")

    result = call(server, "taipei", world.token, "get_tenant_users", {})

    assert result.content[0].text == "用戶列表:\n- ada (員工) - ada@taipei.example"


def test_the_platform_sees_a_suspended_tenant_and_says_so(document: str, server: Process) -> None:
    with working():
        tenants.set_active("test1", active=False)

    result = call(server, "", document, "list_tenants", {})

    assert "測試租戶1 (test1) - 停用" in result.content[0].text
    assert [tenant["is_active"] for tenant in result.structured_content["tenants"]] == [False, True]


def test_users_are_those_of_the_tenant(acme: World, globex: World, server: Process) -> None:
    result = call(server, "acme", acme.token, "get_tenant_users", {})

    assert result.structured_content == {"users": [{"username": "ada", "email": "ada@acme.example", "role": "staff"}]}


def test_demo_data_goes_into_the_tenant_of_the_url(
    acme: World, globex: World, server: Process, admin: psycopg.Connection
) -> None:
    result = call(server, "acme", acme.token, "create_demo_data", {"orders": 3, "seed": 7})

    counts = dict(
        admin.execute(
            "SELECT t.subdomain, count(*) FROM core_order o JOIN core_tenant t ON t.id = o.tenant_id GROUP BY 1"
        )
    )
    assert result.structured_content["orders"] == 3
    assert counts == {"acme": 4, "globex": 1}


@pytest.mark.parametrize("tenant", ["acme", ""])
def test_numbers_are_added_at_both_doors(tenant: str, acme: World, server: Process) -> None:
    token = acme.token if tenant else platform_token()

    result = call(server, tenant, token, "add_numbers", {"a": 2, "b": 0.5})

    assert (result.content[0].text, result.structured_content) == ("2.5", {"result": 2.5})


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("create_demo_data", {"orders": 101}, "orders: Input should be less than or equal to 100"),
        ("create_demo_data", {"orders": "many"}, "orders: Input should be a valid integer"),
        ("add_numbers", {"a": 1}, "b: Field required"),
        ("get_tenant_inf", {}, "There is no tool get_tenant_inf. Call one of: "),
    ],
)
def test_a_bad_call_is_answered_in_words(
    name: str, arguments: dict[str, Any], words: str, acme: World, server: Process
) -> None:
    result = call(server, "acme", acme.token, name, arguments)

    assert result.is_error
    assert words in result.content[0].text
    assert "pydantic" not in result.content[0].text


def test_an_unknown_tenant_names_the_next_call(document: str, server: Process) -> None:
    result = call(server, "", document, "get_tenant_info", {"tenant": "test3"})

    assert result.is_error
    assert "There is no tenant 'test3'. Call list_tenants to see the subdomains." in result.content[0].text


def test_platform_work_leaves_an_audit_row(document: str, server: Process, admin: psycopg.Connection) -> None:
    call(server, "", document, "list_tenants", {})

    rows = admin.execute(
        "SELECT actor, reason, origin, role_name FROM app.platform_audit WHERE origin = 'mcp'"
    ).fetchall()
    assert rows == [("platform token", "list_tenants: a test", "mcp", "app_platform")]


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
    assert [tool.name for tool in at_platform] == ["add_numbers", "get_tenant_info", "list_tenants"]
    for tool in [*at_tenant, *at_platform]:
        assert tool.title
        assert tool.description
        assert tool.output_schema
        assert tool.input_schema["additionalProperties"] is False
        assert None not in (tool.annotations.read_only_hint, tool.annotations.destructive_hint)
        assert tool.annotations.open_world_hint is False


def test_no_tool_of_a_tenant_takes_a_tenant(acme: World, server: Process) -> None:
    for tool in listed(server, "acme", acme.token, "2026-07-28"):
        assert not {"tenant", "tenant_id", "subdomain", "slug"} & tool.input_schema["properties"].keys()
