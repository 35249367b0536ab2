"""Every answer says everything twice: its structured content is enough without the text, and the text without it."""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from core import formats
from core.currencies import DECIMALS
from core.models import Order, OrderStatus, TenantSettings
from core.services import demo, drafts, product_changes
from core.services.drafts import Wanted
from mcp_server.call.units import Dated
from mcp_server.declare.tools import Answer, Change, Endpoint, ToolSpec
from rls import tenant_context
from tests.mcp_server.test_given import call
from tests.mcp_server.test_listed_tools import post
from tests.support.processes import Process
from tests.support.servers import shop_tools
from tests.support.world import World, make_tenant, platform_token

pytestmark = pytest.mark.slow

ZONE = "Asia/Taipei"

SPECS = [spec for endpoint in Endpoint for spec in shop_tools(endpoint)]
WHY = {"reason": "a test"}

# Each tool at each endpoint, with a call that has much to say.
CALLS: dict[tuple[Endpoint, str], dict[str, Any]] = {
    (Endpoint.TENANT, "add_numbers"): {"a": 1, "b": 2},
    (Endpoint.TENANT, "add_order_item"): {"number": 900, "sku": "A-1", "quantity": 1},
    (Endpoint.TENANT, "adjust_stock"): {"sku": "A-1", "quantity": 3, "reason": "purchase", "note": "Invoice 7"},
    (Endpoint.TENANT, "cancel_order"): {"number": 1, "reason": "broken", "dry_run": True},
    (Endpoint.TENANT, "create_demo_data"): {"orders": 1},
    (Endpoint.TENANT, "create_order"): {"items": [{"sku": "A-1", "quantity": 1}], "note": "Ring twice"},
    (Endpoint.TENANT, "create_product"): {"sku": "N-1", "name": "New", "price": "1", "category": "Tea"},
    (Endpoint.TENANT, "export_tenant_data"): {"format": "json"},
    (Endpoint.TENANT, "get_audit_log"): {"limit": 2},
    (Endpoint.TENANT, "get_business_insights"): {"period": "last_90_days"},
    (Endpoint.TENANT, "get_comprehensive_tenant_stats"): {},
    (Endpoint.TENANT, "get_inventory"): {"limit": 2},
    (Endpoint.TENANT, "get_order"): {"number": 1},
    (Endpoint.TENANT, "get_product"): {"sku": "A-1"},
    (Endpoint.TENANT, "get_product_stats"): {},
    (Endpoint.TENANT, "get_sales_statistics"): {"group_by": "product", "limit": 2, "period": "last_90_days"},
    (Endpoint.TENANT, "get_tenant_info"): {},
    (Endpoint.TENANT, "get_tenant_products"): {"limit": 2},
    (Endpoint.TENANT, "get_tenant_users"): {"limit": 1},
    (Endpoint.TENANT, "list_orders"): {"limit": 2},
    (Endpoint.TENANT, "list_tenants"): {},
    (Endpoint.TENANT, "manage_tenant_settings"): {"low_stock_threshold": 7},
    (Endpoint.TENANT, "place_order"): {"number": 900},
    (Endpoint.TENANT, "set_product_active"): {"sku": "A-1", "is_active": False, "dry_run": True},
    (Endpoint.TENANT, "update_order_status"): {"number": 1, "status": "shipped"},
    (Endpoint.TENANT, "update_product"): {"sku": "A-1", "price": "19.98"},
    (Endpoint.PLATFORM, "add_numbers"): {"a": 1, "b": 2},
    (Endpoint.PLATFORM, "create_tenant"): {"subdomain": "initech", "name": "Initech", **WHY},
    (Endpoint.PLATFORM, "delete_tenant"): {"tenant_id": "shop", "dry_run": True, **WHY},
    (Endpoint.PLATFORM, "get_platform_stats"): WHY,
    (Endpoint.PLATFORM, "get_tenant_info"): {"tenant_id": "shop", **WHY},
    (Endpoint.PLATFORM, "list_tenants"): {"limit": 1, **WHY},
    (Endpoint.PLATFORM, "resume_tenant"): {"tenant_id": "shop", **WHY},
    (Endpoint.PLATFORM, "run_isolation_audit"): WHY,
    (Endpoint.PLATFORM, "suspend_tenant"): {"tenant_id": "shop", "dry_run": True, **WHY},
}
CALLS_WITH_TIMES: list[tuple[str, dict[str, Any]]] = [
    ("get_sales_statistics", {}),
    ("get_business_insights", {}),
    ("get_comprehensive_tenant_stats", {}),
    ("get_order", {"number": 1}),
    ("get_product", {"sku": "A-1"}),
    ("list_orders", {}),
    ("list_orders", {"period": "today"}),
    ("get_audit_log", {}),
    ("get_tenant_info", {}),
    ("list_tenants", {}),
    ("export_tenant_data", {"format": "csv"}),
    ("export_tenant_data", {"format": "xlsx"}),
    ("create_order", {"items": [{"sku": "A-1", "quantity": 1}]}),
]
URIS_WITH_TIMES = ["report://sales/last_7_days", "order://1", "product://A-1", "tenant://info"]
DEMO = [
    pytest.param(spec, language, id=f"{spec.endpoint.value} {spec.name} {language}")
    for spec in SPECS
    for language in ("en", "zh-TW")
]

# What a next call takes, by the name that it has in answers.
NAMES = {"sku", "number", "next_cursor", "confirmation", "subdomain", "url", "resource", "next_step", "question", "cut"}
NAMES |= {"email", "category", "next_line", "order_number"}


@pytest.fixture
def shop() -> World:
    """A tenant of Taipei with a shop's worth of rows, and another one."""
    world = make_tenant("shop", "Shop")
    make_tenant("other", "Other")
    with tenant_context(world.id):
        demo.create(orders=20)
        TenantSettings.objects.update(time_zone=ZONE)
        product_changes.update("A-1", category="Iron", description="Heavy.")
        order = drafts.create(items=[Wanted("A-1", 1)]).order
        order.number = 900
        order.save(update_fields=["number"])
    return world


def answer_of(spec: ToolSpec, language: str, server: Process, shop: World) -> dict[str, Any]:
    token = platform_token() if spec.endpoint is Endpoint.PLATFORM else ""
    if spec.name == "create_demo_data":
        with tenant_context(shop.id):  # a shop that trades gets none
            Order.objects.update(status=OrderStatus.DRAFT, placed_at=None, cancelled_at=None)
    result = call(server, shop, spec.name, CALLS[spec.endpoint, spec.name], language, token=token)
    assert not result["isError"], result["content"][0]["text"]
    return result


def facts(value: Any, around: tuple[dict[str, Any], ...] = ()) -> Iterator[tuple[str, Any, tuple[dict[str, Any], ...]]]:
    """Each name and value in an answer, with the objects that it stands in."""
    if isinstance(value, list):
        for each in value:
            yield from facts(each, around)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name, each, (*around, value)
            yield from facts(each, (*around, value))


def test_each_tool_has_its_call() -> None:
    assert {(spec.endpoint, spec.name) for spec in SPECS} == CALLS.keys(), "give a new tool its call in CALLS"


@pytest.mark.parametrize(("spec", "language"), DEMO)
@pytest.mark.django_db
def test_both_forms_say_the_same(spec: ToolSpec, language: str, server: Process, shop: World) -> None:
    result = answer_of(spec, language, server, shop)

    structured, text = result["structuredContent"], "\n".join(block["text"] for block in result["content"])
    first = result["content"][0]["text"]
    json.dumps(structured, allow_nan=False)
    for name, value, around in facts(structured):
        if name.endswith("_minor"):
            assert money(name, value, around)
        if name in NAMES and value not in (None, "") and not isinstance(value, dict):
            assert str(value) in text, (name, value)
        if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT\d\d:", value):
            assert re.search(r"(Z|[+-]\d\d:\d\d)$", value), (name, value)
            if spec.endpoint is Endpoint.TENANT and name != "cut":
                assert value.endswith("+08:00"), (name, value)
        if name == "has_more" and value:
            assert around[-1].get("next_cursor") or around[-1].get("next_step"), "what comes next?"
        if name == "dry_run" and value:
            assert spec.name in structured["next_step"]
    if any(name.endswith("_minor") for name, _, _ in facts(structured)):
        assert "EUR" in first
        assert ("2 decimals" if language == "en" else "小數 2 位") in first
    if "time_zone" in structured:
        assert (ZONE if spec.endpoint is Endpoint.TENANT else "UTC") in text


def money(name: str, value: Any, around: tuple[dict[str, Any], ...]) -> bool:
    """Whether an amount has its decimal text beside it, and its currency and decimals beside or around it."""
    codes = [each["currency"] for each in around if "currency" in each]
    decimals = [each["decimals"] for each in around if "decimals" in each]
    assert codes, name
    assert decimals[-1] == DECIMALS[codes[-1]], name
    both = around[-1][name.removesuffix("_minor")], value
    text, minor = (each["absolute"] if isinstance(each, dict) else each for each in both)
    return isinstance(text, str) and Decimal(text).scaleb(decimals[-1]) == minor


@pytest.mark.parametrize("spec", [pytest.param(spec, id=f"{spec.endpoint.value} {spec.name}") for spec in SPECS])
def test_each_amount_and_each_time_can_be_read(spec: ToolSpec) -> None:
    """Whatever rows there are: by the classes of the answers."""
    fields = list(fields_of(spec.shape.annotation))

    has_days = any(kind in (datetime, date) for _, kind in fields)
    if has_days:
        assert issubclass(spec.shape.annotation, Dated), "times and days need a zone: see mcp_server.call.units"
    if any(name.endswith("_minor") for name, _ in fields):
        names = {name for name, _ in fields}
        assert {"currency", "decimals"} <= names, "amounts need a currency: Priced"
        assert {name.removesuffix("_minor") for name in names} <= names, "amounts need a text: with_texts"
    if any(name == "has_more" for name, _ in fields):
        assert {"next_cursor", "next_step"} & {name for name, _ in fields}


def fields_of(kind: Any, seen: frozenset[Any] = frozenset()) -> Iterator[tuple[str, Any]]:
    """Each name and type in an answer's class and in the classes of its fields."""
    if (
        inspect.isclass(kind)
        and kind not in seen
        and (hasattr(kind, "__dataclass_fields__") or issubclass(kind, BaseModel))
    ):
        hints = typing.get_type_hints(kind)
        if issubclass(kind, BaseModel):
            hints = {name: field.annotation for name, field in kind.model_fields.items()}
            for name in kind.model_computed_fields:
                yield name, None
        for name, hint in hints.items():
            yield name, hint
            yield from ((name, each) for each in typing.get_args(hint))
            yield from fields_of(hint, seen | {kind})
    for each in typing.get_args(kind):
        yield from fields_of(each, seen)


@pytest.mark.django_db
def test_a_change_of_a_third_party_has_its_next_step(shop: World, server: Process) -> None:
    result = call(server, shop, "shop_rename", {"sku": "A-1", "name": "a bomb", "dry_run": True})

    structured, text = result["structuredContent"], result["content"][0]["text"]
    assert structured["confirmation"] in structured["next_step"]
    assert structured["question"] in text
    assert text.endswith(structured["next_step"])


@pytest.mark.parametrize(
    "uri", ["tenant://info", "product://A-1", "order://1", "report://sales/last_7_days", "export://{handle}"]
)
@pytest.mark.django_db
def test_a_resource_stands_alone(uri: str, shop: World, server: Process) -> None:
    if "{handle}" in uri:
        uri = call(server, shop, "export_tenant_data", {"format": "csv"})["structuredContent"]["resource"]
    answer = post(server, "shop", shop.token, "resources/read", {"uri": uri}).json()

    structured = json.loads(answer["result"]["contents"][0]["text"])
    for name, value, around in facts(structured):
        if name.endswith("_minor"):
            assert money(name, value, around)
        if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT\d\d:", value):
            assert value.endswith("+08:00"), (name, value)
            assert structured["time_zone"] == ZONE


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Asia", "../UTC", "GMT+99", "台北"])
@pytest.mark.django_db
def test_a_zone_that_there_is_not_is_told_and_mended(zone: str, shop: World, server: Process) -> None:
    """What needs it is refused in a sentence; what doesn't goes on, above all the tool that sets another one."""
    with tenant_context(shop.id):
        TenantSettings.objects.update(time_zone=zone)
    told = (
        f"No time or day can be told: there is no time zone {zone!r}. Set the time zone of this tenant to an IANA "
        "name, such as Europe/Paris."
    )

    products = call(server, shop, "get_tenant_products", {"limit": 2})
    broken = [call(server, shop, *each) for each in CALLS_WITH_TIMES]
    prompt = post(server, "shop", shop.token, "prompts/get", {"name": "daily_briefing", "arguments": {}}).json()
    resources = [post(server, "shop", shop.token, "resources/read", {"uri": uri}).json() for uri in URIS_WITH_TIMES]
    mended = call(server, shop, "manage_tenant_settings", {"time_zone": ZONE})
    again = call(server, shop, "get_order", {"number": 1})

    assert not products["isError"]
    assert [each["content"][0]["text"] for each in broken] == [told] * len(broken)
    assert [each["error"]["message"] for each in (prompt, *resources)] == [told] * (1 + len(resources))
    assert not mended["isError"]
    assert again["structuredContent"]["time_zone"] == ZONE


@pytest.mark.django_db
def test_a_chart_says_whose_days_it_has(shop: World, server: Process) -> None:
    answer = post(server, "shop", shop.token, "resources/read", {"uri": "report://sales/last_7_days"}).json()

    assert f" ({ZONE})</" in answer["result"]["contents"][1]["text"]


@pytest.mark.parametrize(
    ("currency", "decimals"), [("JPY", 0), ("TWD", 2), ("HUF", 2), ("KWD", 3), ("IQD", 3), ("CLF", 4)]
)
def test_decimals_are_those_of_iso_4217(currency: str, decimals: int) -> None:
    assert DECIMALS[currency] == decimals
    assert len(re.sub(r".*?(?:\.(\d+))?$", r"\1", formats.money(1, currency).strip())) == decimals


@pytest.mark.django_db
def test_what_is_fixed_by_another_document_has_its_zone_in_a_block_of_its_own(shop: World, server: Process) -> None:
    result = call(server, shop, "list_tenants", {})

    first, second = (block["text"] for block in result["content"])
    made = datetime.fromisoformat(result["structuredContent"]["tenants"][0]["created_at"])
    assert first.endswith(f"created {made:%Y-%m-%d %H:%M:%S}")
    assert second == f"Times: {ZONE}."
    assert made.astimezone(UTC).utcoffset() is not None


def test_a_class_of_changes_is_told_from_others() -> None:
    assert all(issubclass(spec.shape.annotation, Answer) for spec in SPECS)
    assert all(issubclass(spec.shape.annotation, Change) is not spec.is_read_only for spec in SPECS)
