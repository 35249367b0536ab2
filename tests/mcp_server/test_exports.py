"""A person's assistant takes all data away, through the official client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.shared.exceptions import MCPError

import rls
from core.models import Export
from core.scopes import Scope
from core.services import exports
from mcp_server.ledger.models import AuditEvent
from mcp_server.tokens import tokens
from tests.core.test_exports import tables
from tests.mcp_server.test_changes import call
from tests.support.processes import ERAS, Era, Process, connected, connected_over_stdio, serving
from tests.support.world import World, make_tenant, working

pytestmark = pytest.mark.slow

NAME = "export_tenant_data"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "xlsx"])
def test_all_data_is_taken_away_by_the_link(format: str, era: Era, acme: World, globex: World, server: Process) -> None:
    result = call(server, acme, {"format": format}, era=era, name=NAME)

    # Adapters read a link at once, or hand it to a model that takes no files: the text has it.
    told, [text] = result.structured_content, result.content
    file = httpx2.get(told["url"])
    assert file.status_code == 200
    assert told["url"].startswith(f"{server.url}/t/acme/exports/")
    assert told["resource"] == f"export://{told['url'].rpartition('/')[2]}"
    assert len(file.content) == told["bytes"]
    found = tables(exports.ExportFormat(format), file.content)
    assert [{"table": name, "rows": len(rows)} for name, rows in found.items()] == told["tables"]
    assert told["rows"] == sum(each["rows"] for each in told["tables"])
    assert [row["name"] for row in found["products"]] == ["Acme anvil"]
    _, named, counted, where, zone = text.text.splitlines()
    assert named == f"{told['file_name']} ({told['media_type']})"
    assert counted.startswith("tenant 1, customers 1, products 1, ")
    assert where.endswith(f": {told['url']} , {told['resource']}")
    assert zone == "Times: UTC."


@pytest.mark.django_db
def test_the_answer_is_in_the_tenants_language(server: Process) -> None:
    world = make_tenant("taipei", "台北", locale="zh-hant")

    result = call(server, world, {"format": "xlsx"}, name=NAME)

    told = result.structured_content
    first, _, _, last, _ = result.content[0].text.splitlines()
    assert first == f"已匯出 {told['rows']} 列資料，格式為 Excel，共 {told['bytes']:,} 位元組。"
    assert last.endswith(f"以前下載：{told['url']} , {told['resource']}")


def test_the_resource_opens_the_export_of_its_tenant_alone(acme: World, globex: World, server: Process) -> None:
    told = call(server, acme, {"format": "json"}, name=NAME).structured_content
    handle = told["resource"].removeprefix("export://")

    with rls.tenant_context(acme.id):
        assert exports.open(handle).byte_count == told["bytes"]
    with rls.tenant_context(globex.id), pytest.raises(exports.ExportNotFound):
        exports.open(handle)
    assert httpx2.get(told["url"].replace("/t/acme/", "/t/globex/")).status_code == 404


def test_an_export_is_in_the_audit_without_its_link(acme: World, server: Process) -> None:
    told = call(server, acme, {"format": "csv"}, name=NAME).structured_content

    with rls.tenant_context(acme.id):
        event = AuditEvent.objects.get(action=NAME)
    assert (event.subject, event.actor, event.details) == ("export as csv", "acme token", {"format": "csv"})
    assert told["url"].rpartition(".")[2] not in server.log.read_text()


def test_a_dry_run_counts_and_leaves_no_file_and_no_link(acme: World, server: Process) -> None:
    with rls.tenant_context(acme.id):
        before = Export.objects.count()

    result = call(server, acme, {"format": "csv", "dry_run": True}, name=NAME)

    with rls.tenant_context(acme.id):
        assert Export.objects.count() == before
    told, [text] = result.structured_content, result.content
    assert {"table": "products", "rows": 1} in told["tables"]
    assert (told["resource"], told["url"]) == (None, None)
    assert text.text.startswith("Dry run: nothing was changed.\nExported ")
    assert "http" not in text.text


def test_a_key_gives_the_same_link(acme: World, server: Process) -> None:
    first, second = (call(server, acme, {"format": "csv", "idempotency_key": "month end"}, name=NAME) for _ in range(2))

    assert first.structured_content == second.structured_content
    assert first.content == second.content
    assert httpx2.get(second.structured_content["url"]).status_code == 200


def test_over_stdio_there_is_the_resource_alone(acme: World) -> None:
    async def story() -> Any:
        async with connected_over_stdio("acme") as client:
            return await client.call_tool(NAME, {"format": "jsonl"})

    result = asyncio.run(story())

    told = result.structured_content
    assert told["url"] is None
    assert told["resource"] in result.content[0].text
    with rls.tenant_context(acme.id):
        assert exports.open(told["resource"].removeprefix("export://")).row_count == told["rows"]


@pytest.mark.parametrize("era", ERAS)
def test_a_client_that_asks_is_told_the_progress(era: Era, acme: World, stateful_server: Process) -> None:
    told: list[tuple[float, float | None]] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total))

    async def story() -> Any:
        async with connected(stateful_server.mcp("acme"), acme.token, era) as client:
            return await client.call_tool(NAME, {"format": "csv"}, progress_callback=hear)

    rows = asyncio.run(story()).structured_content["rows"]

    assert told[-1] == (rows, rows)
    assert told == sorted(told)


def test_a_token_without_the_scope_takes_nothing_away(acme: World, server: Process) -> None:
    with working():
        token = tokens.create(name="narrow", slug="acme", scopes=set(Scope) - {Scope.EXPORTS_WRITE})

    async def story() -> Any:
        async with connected(server.mcp("acme"), token) as client:
            with pytest.raises(MCPError, match=f"There is no tool {NAME}"):
                await client.call_tool(NAME, {"format": "csv"})
            return {tool.name for tool in (await client.list_tools()).tools}

    assert NAME not in asyncio.run(story())


@pytest.mark.parametrize("format", ["", "CSV", "pdf", None, 1])
def test_another_format_is_refused_with_those_there_are(format: Any, acme: World, server: Process) -> None:
    result = call(server, acme, {"format": format}, name=NAME)

    assert result.is_error
    assert "'csv', 'json', 'jsonl' or 'xlsx'" in result.content[0].text


@pytest.mark.anyio
async def test_the_schema_lists_the_formats(acme: World, server: Process) -> None:
    async with connected(server.mcp("acme"), acme.token) as client:
        [tool] = [tool for tool in (await client.list_tools()).tools if tool.name == NAME]

    assert '["csv", "json", "jsonl", "xlsx"]' in json.dumps(tool.input_schema)
    assert tool.annotations.read_only_hint is False


def test_the_link_is_at_the_public_address(acme: World, tmp_path: Path) -> None:
    with serving(tmp_path / "log", PUBLIC_URL="https://shop.example/") as behind_a_proxy:
        told = call(behind_a_proxy, acme, {"format": "csv"}, name=NAME).structured_content

    assert told["url"].startswith("https://shop.example/t/acme/exports/")
