"""Resources, prompts and completions, through the official client."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from django.apps import apps
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from core.mcp_tools.resources.tenant import EXCLUDED_MODELS, TOOLS_OF_TABLES
from core.models import Export, Order, OrderStatus, Product, Tenant
from core.scopes import Scope
from core.services import exports
from mcp_server.tokens import tokens
from rls import tenant_context
from rls.models import Tenanted
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World, make_tenant, working

SVG = "{http://www.w3.org/2000/svg}"


def at(
    server: Process, world: World, story: Callable[[Client], Awaitable[Any]], era: Era = "2026-07-28", **options: Any
) -> Any:
    """What the story of a connected client gives."""

    async def run() -> Any:
        async with connected(server.mcp(world.subdomain), options.get("token", world.token), era) as client:
            return await story(client)

    return asyncio.run(run())


def read(server: Process, world: World, uri: str, era: Era = "2026-07-28", **options: Any) -> list[Any]:
    result = at(server, world, lambda client: client.read_resource(uri), era, **options)
    return list(result.contents)


def refused(server: Process, world: World, uri: str, **options: Any) -> Any:
    async def story(client: Client) -> Any:
        with pytest.raises(MCPError) as refusal:
            await client.read_resource(uri)
        return refusal.value.error

    return at(server, world, story, **options)


def narrow(world: World, *scopes: Scope) -> str:
    with working():
        return tokens.create(name="narrow", slug=world.subdomain, scopes=scopes)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.django_db
def test_what_can_be_read_is_listed_in_order_and_in_the_callers_language(era: Era, server: Process) -> None:
    world = make_tenant("taipei", "台北", locale="zh-hant")

    async def story(client: Client) -> Any:
        return (await client.list_resources()).resources, (await client.list_resource_templates()).resource_templates

    resources, templates = at(server, world, story, era)

    assert [(each.uri, each.title) for each in resources] == [
        ("tenant://info", "租戶資訊"),
        ("tenant://schema", "資料表結構"),
    ]
    assert [each.uri_template for each in templates] == [
        "export://{id}",
        "order://{number}",
        "product://{sku}",
        "report://sales/{period}",
    ]
    assert all(each.title and each.description and each.mime_type for each in [*resources, *templates])


@pytest.mark.parametrize("era", ERAS)
def test_a_resource_says_what_its_tool_says(era: Era, acme: World, globex: World, server: Process) -> None:
    async def story(client: Client) -> list[tuple[Any, Any]]:
        pairs = []
        for uri, name, arguments in [
            ("tenant://info", "get_tenant_info", {}),
            ("product://A-1", "get_product", {"sku": "A-1"}),
            ("order://1", "get_order", {"number": 1}),
        ]:
            (content,) = (await client.read_resource(uri)).contents
            assert (content.uri, content.mime_type) == (uri, "application/json")
            pairs.append((json.loads(content.text), (await client.call_tool(name, arguments)).structured_content))
        return pairs

    for resource, tool in at(server, acme, story, era):
        assert resource == tool


def test_a_sku_may_hold_what_a_uri_may_not(acme: World, server: Process) -> None:
    sku = "A B/1?#茶%"
    with tenant_context(acme.id):
        Product.objects.create(sku=sku, name="Odd", price_minor=1, currency="EUR")

    (content,) = read(server, acme, "product://A%20B%2F1%3F%23%E8%8C%B6%25")

    assert json.loads(content.text)["sku"] == sku


@pytest.mark.parametrize(
    "uri",
    [
        "product://A-2",
        "product://",
        "product://A-1/more",
        "product://A%00",
        "product://" + "x" * 5000,
        "product://..%2F..%2Fetc%2Fpasswd",
        "order://2",
        "order://01",
        "order://-1",
        "order://%F0%9D%9F%8F",
        "order://99999999999",
        "report://sales/someday",
        "report://sales/..",
        "export://invented",
        "tenant://secrets",
        "file:///etc/passwd",
    ],
)
def test_what_is_not_there_is_an_error_that_names_the_uri(uri: str, acme: World, server: Process) -> None:
    error = refused(server, acme, uri)

    assert (error.code, error.data) == (INVALID_PARAMS, {"uri": uri})
    assert "unexpectedly" not in error.message


def test_what_another_tenant_has_is_not_there(acme: World, globex: World, server: Process) -> None:
    with tenant_context(globex.id):
        Product.objects.create(sku="G-1", name="Gadget", price_minor=1, currency="EUR")
        Order.objects.create(number=7)

    others = [refused(server, acme, uri).message for uri in ("product://G-1", "order://7")]
    nobodys = [refused(server, acme, uri).message for uri in ("product://N-1", "order://8")]

    assert [text.replace("G-1", "N-1").replace("7", "8") for text in others] == nobodys


@pytest.mark.parametrize(
    ("uri", "scope"),
    [
        ("tenant://info", Scope.TENANTS_READ),
        ("tenant://schema", Scope.TENANTS_READ),
        ("product://A-1", Scope.PRODUCTS_READ),
        ("order://1", Scope.ORDERS_READ),
        ("report://sales/today", Scope.REPORTS_READ),
        ("export://any", Scope.EXPORTS_WRITE),
    ],
)
def test_a_resource_needs_its_scope(uri: str, scope: Scope, acme: World, server: Process) -> None:
    token = narrow(acme, *(each for each in Scope if each is not scope))

    error = refused(server, acme, uri, token=token)

    assert error.code == INVALID_PARAMS
    assert f"There is no resource {uri}. " in error.message


def test_a_report_is_numbers_and_a_chart(acme: World, globex: World, server: Process) -> None:
    numbers, chart = read(server, acme, "report://sales/last_7_days")

    assert json.loads(numbers.text)["totals"]["revenue_minor"] == 3998
    assert chart.mime_type == "image/svg+xml"
    bars = ElementTree.fromstring(chart.text).findall(f"{SVG}rect[{SVG}title]")
    assert len(bars) == 7
    assert "€39.98" in str(bars[-1].findtext(f"{SVG}title"))


def test_the_schema_describes_what_the_tools_reach(acme: World, server: Process) -> None:
    (content,) = read(server, acme, "tenant://schema")

    tables = {table["table"]: table for table in json.loads(content.text)["tables"]}
    assert "get_product" in tables["product"]["tools"]
    columns = {column["name"]: column for column in tables["order"]["columns"]}
    assert "tenant_id" not in columns
    assert columns["status"]["values"] == OrderStatus.values
    assert columns["customer_id"]["type"] == "id of customer"


def test_every_table_is_in_the_schema_or_left_out_for_a_reason() -> None:
    tenanted = {model for model in apps.get_models() if issubclass(model, Tenanted)} | {Tenant}

    assert TOOLS_OF_TABLES.keys() | EXCLUDED_MODELS.keys() == tenanted, (
        "add it to TOOLS_OF_TABLES or to EXCLUDED_MODELS in core/mcp_tools/resources/tenant.py"
    )
    assert not TOOLS_OF_TABLES.keys() & EXCLUDED_MODELS.keys()
    assert all(EXCLUDED_MODELS.values())


def test_a_small_export_is_read_in_one_piece(acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        handle = exports.handle(exports.create(format="jsonl", actor="tests").export)

    facts, content = read(server, acme, f"export://{handle}")

    summary = json.loads(facts.text)
    data = base64.b64decode(content.blob)
    assert (summary["format"], summary["bytes"]) == ("jsonl", len(data))
    assert summary["url"] == f"{server.url}/t/acme/exports/{handle}"
    assert b"Acme anvil" in data


def test_a_large_export_is_a_link(acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        export = exports.create(format="jsonl", actor="tests").export
        Export.objects.filter(id=export.id).update(byte_count=2**20 + 1)
        handle = exports.handle(export)

    (facts,) = read(server, acme, f"export://{handle}")

    assert json.loads(facts.text)["url"].endswith(f"/t/acme/exports/{handle}")


def test_an_export_of_another_tenant_is_not_there(acme: World, globex: World, server: Process) -> None:
    with tenant_context(acme.id):
        handle = exports.handle(exports.create(format="jsonl", actor="tests").export)

    other = refused(server, globex, f"export://{handle}")

    assert other.message == refused(server, globex, "export://invented").message
