"""The source document, replayed: every call in it as it stands there, and every answer line for line."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import psycopg
import pytest
from mcp_types import ElicitResult

from core.scopes import Scope
from core.services import tenants
from mcp_server.tokens import tokens
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import platform_token, working

CREATED = "2025-07-10 06:53:11.870087+00:00"

# 可用功能分析, 解決方案建議, 挑戰 1 and 建議的後續步驟 name them.
NAMED = {
    "list_tenants",
    "get_tenant_info",
    "get_tenant_users",
    "create_demo_data",
    "add_numbers",
    "get_tenant_products",
    "get_product_stats",
    "get_comprehensive_tenant_stats",
    "get_business_insights",
    "manage_tenant_settings",
    "export_tenant_data",
}


async def operator(context: Any, params: Any) -> ElicitResult:
    """The document's operator, who is asked why: its calls give no reason."""
    return ElicitResult(action="accept", content={"reason": "用戶要求查看租戶"})


@pytest.fixture
def document(admin: psycopg.Connection) -> dict[str, str]:
    """The two tenants of the document; a token for each, and, under "", one for the platform."""
    with working():
        for number in (1, 2):
            tenants.create(subdomain=f"test{number}", name=f"測試租戶{number}")
        found = {name: tokens.create(name="document", slug=name, scopes=Scope) for name in ("test1", "test2")}
    admin.execute("UPDATE core_tenant SET created_at = %s", [CREATED])
    return {"": platform_token(), **found}


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    """Each transcript is replayed in both."""
    found: Era = request.param
    return found


def replay(server: Process, tenant: str, token: str, name: str, arguments: dict[str, Any], era: Era) -> Any:
    """A call of the document, by a client that can ask its person."""

    async def story() -> Any:
        async with connected(server.mcp(tenant), token, era, elicitation_callback=operator) as client:
            return await client.call_tool(name, arguments)

    result = asyncio.run(story())
    assert not result.is_error, result.content[0].text
    return result


def test_list_tenants(era: Era, document: dict[str, str], stateful_server: Process) -> None:
    result = replay(stateful_server, "", document[""], "list_tenants", {"random_string": "list"}, era)

    assert result.content[0].text == (
        "租戶列表:\n"
        "- 測試租戶1 (test1) - 啟用 - 0 用戶 - 創建於 2025-07-10 06:53:11\n"
        "- 測試租戶2 (test2) - 啟用 - 0 用戶 - 創建於 2025-07-10 06:53:11"
    )


def test_get_tenant_info(era: Era, document: dict[str, str], stateful_server: Process) -> None:
    result = replay(stateful_server, "", document[""], "get_tenant_info", {"tenant_id": "test2"}, era)

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
        "time_zone": "UTC",
    }


def test_the_reason_that_was_asked_for_is_in_the_audit(
    era: Era, document: dict[str, str], stateful_server: Process, admin: psycopg.Connection
) -> None:
    replay(stateful_server, "", document[""], "list_tenants", {"random_string": "list"}, era)

    rows = admin.execute("SELECT actor, reason FROM app.platform_audit WHERE origin = 'mcp'").fetchall()
    assert rows == [("platform token", "list_tenants: 用戶要求查看租戶")]


def test_the_message_flow(document: dict[str, str], server: Process) -> None:
    """消息流程, byte for byte: a client that declares nothing can't be asked for the reason, and is told so."""
    message = json.loads(
        """
        {
          "jsonrpc": "2.0",
          "id": 1,
          "method": "tools/call",
          "params": {
            "name": "get_tenant_info",
            "arguments": {
              "tenant_id": "test2"
            }
          }
        }
        """
    )
    headers = {"Authorization": f"Bearer {document['']}", "Accept": "application/json, text/event-stream"}

    first = httpx2.post(server.mcp(""), json=message, headers=headers).json()["result"]
    message["params"]["arguments"]["reason"] = "查看租戶 2"
    second = httpx2.post(server.mcp(""), json=message, headers=headers).json()["result"]

    assert first["isError"]
    assert "get_tenant_info" in first["content"][0]["text"]
    assert "reason" in first["content"][0]["text"]
    assert "- 子域名: test2" in second["content"][0]["text"]


@pytest.mark.parametrize("tenant", ["", "test2"])
def test_the_documents_test_strategy(tenant: str, era: Era, document: dict[str, str], stateful_server: Process) -> None:
    """測試策略: at the platform's URL with the tenant's name, at the tenant's own URL without."""
    arguments = {} if tenant else {"tenant_id": "test2"}

    result = replay(stateful_server, tenant, document[tenant], "get_tenant_info", arguments, era).content[0].text

    assert "測試租戶2" in result
    assert "test2" in result
    assert "啟用" in result


def test_get_product_stats(era: Era, document: dict[str, str], stateful_server: Process) -> None:
    """方案 1: `return f"租戶 {tenant.name}: 總商品 {total_products}, 啟用商品 {active_products}"`."""
    empty = replay(stateful_server, "test2", document["test2"], "get_product_stats", {}, era)
    replay(stateful_server, "test2", document["test2"], "create_demo_data", {}, era)
    filled = replay(stateful_server, "test2", document["test2"], "get_product_stats", {}, era)

    assert empty.content[0].text.splitlines()[0] == "租戶 測試租戶2: 總商品 0, 啟用商品 0"
    assert filled.content[0].text.splitlines()[0] == "租戶 測試租戶2: 總商品 8, 啟用商品 8"


def test_get_comprehensive_tenant_stats(era: Era, document: dict[str, str], stateful_server: Process) -> None:
    """挑戰 1: `stats = {'users': ..., 'products': ..., 'orders': ..., 'revenue': ...}`."""
    replay(stateful_server, "test2", document["test2"], "create_demo_data", {}, era)

    stats = replay(stateful_server, "test2", document["test2"], "get_comprehensive_tenant_stats", {}, era)

    figures = stats.structured_content
    assert (figures["users"], figures["products"], figures["orders"]) == (3, 8, 5)
    assert figures["revenue_minor"] > 0


def test_get_tenant_products(era: Era, document: dict[str, str], stateful_server: Process) -> None:
    """方案 1: the tool that was missing, for the tenant of the URL."""
    replay(stateful_server, "test2", document["test2"], "create_demo_data", {}, era)

    here = replay(stateful_server, "test2", document["test2"], "get_tenant_products", {}, era)
    there = replay(stateful_server, "test1", document["test1"], "get_tenant_products", {}, era)

    assert "TEA-001" in here.content[0].text
    assert len(here.structured_content["products"]) == 8
    assert there.structured_content["products"] == []


def test_add_numbers(era: Era, document: dict[str, str], stateful_server: Process) -> None:
    result = replay(stateful_server, "test1", document["test1"], "add_numbers", {"a": 1, "b": 2}, era)

    assert result.content[0].text == "3"


@pytest.mark.anyio
async def test_every_tool_that_the_document_names_is_there(era: Era, document: dict[str, str], server: Process) -> None:
    async with connected(server.mcp("test2"), document["test2"], era) as client:
        found = {tool.name for tool in (await client.list_tools()).tools}

    assert found >= NAMED
