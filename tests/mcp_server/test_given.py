"""What clients send that nobody meant, and how what can't be meant is refused: through HTTP, as it arrives."""

from __future__ import annotations

import asyncio
import inspect
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import httpx2
import pytest
from django.utils import translation
from hypothesis import given as given_values
from hypothesis import settings
from hypothesis import strategies as st
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import PARSE_ERROR
from pydantic import BaseModel, Field

from core.mcp_tools.tools.arithmetic import Sum, add_numbers
from core.models import Product
from core.services import product_changes
from mcp_server import server as sdk
from mcp_server.call import given, results
from mcp_server.declare import shapes
from mcp_server.declare.tools import Endpoint
from mcp_server.http import context
from mcp_server.principals import Principal
from rls import tenant_context
from tests.mcp_server.test_listed_tools import MODERN, post
from tests.support.processes import Process
from tests.support.servers import own
from tests.support.world import World, platform_token

pytestmark = pytest.mark.slow

TEXT_BLANKS: list[Any] = [None, "", "  ", "\u3000"]
BLANKS: list[Any] = [*TEXT_BLANKS, [], {}]
# What Cursor, n8n and others add.
MADE_UP = {"random_string": "list", "dummy": 1, "toolCallId": "x", "sessionId": None, "action": [], "chatInput": {}}
PARAMETERLESS = ["get_tenant_info", "get_product_stats", "get_comprehensive_tenant_stats"]


def call(
    server: Process, world: World, name: str, arguments: Any, language: str = "en", token: str = ""
) -> dict[str, Any]:
    """The result of a call, whatever it is."""
    params = {"name": name, "arguments": arguments}
    tenant = "" if token else world.subdomain
    answer = post(server, tenant, token or world.token, "tools/call", params, language).json()
    assert "result" in answer, answer
    result: dict[str, Any] = answer["result"]
    return result


def text(result: dict[str, Any]) -> str:
    return str(result["content"][0]["text"])


def told(result: dict[str, Any]) -> dict[str, Any]:
    """What an answer says, but for when it was asked."""
    return {name: value for name, value in result["structuredContent"].items() if name != "as_of"}


def optional(server: Process, tenant: str, token: str) -> list[tuple[str, dict[str, Any], bool]]:
    """Each tool with the schemas of the arguments that may be left out, and whether it needs none."""
    listed = post(server, tenant, token, "tools/list", {}).json()["result"]["tools"]
    return [
        (
            tool["name"],
            {
                name: each
                for name, each in tool["inputSchema"]["properties"].items()
                if name not in tool["inputSchema"].get("required", ())
            },
            not tool["inputSchema"].get("required") and tool["annotations"]["readOnlyHint"],
        )
        for tool in listed
        if not tool["name"].startswith("shop_")
    ]


# Blanks.


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
def test_what_is_blank_was_not_given_to_any_tool_that_reads(blank: Any, acme: World, server: Process) -> None:
    for name, schemas, is_readable in optional(server, "acme", acme.token):
        if is_readable:
            without = call(server, acme, name, {})
            fitting = [each for each, schema in schemas.items() if fits(blank, kinds(schema))]
            blanks = call(server, acme, name, dict.fromkeys(fitting, blank))
            assert not blanks["isError"], text(blanks)
            assert shape(told(blanks)) == shape(told(without)), name


def kinds(schema: dict[str, Any]) -> set[str]:
    found = [part["type"] for part in [schema, *schema.get("anyOf", [])] if "type" in part]
    return {kind for each in found for kind in ([each] if isinstance(each, str) else each)}


def fits(blank: Any, kinds: set[str]) -> bool:
    """Whether something blank is of one of these kinds, as a form has them."""
    match blank:
        case None:
            return True
        case str():
            return bool(kinds & {"string", "integer", "number"})
        case list():
            return "array" in kinds
    return "object" in kinds


def shape(value: Any) -> Any:
    """A value without the times and cursors in it."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items() if name not in ("as_of", "next_cursor", "method")}
    return [shape(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("blank", TEXT_BLANKS, ids=repr)
def test_what_is_blank_was_not_given_at_the_platforms_url_either(blank: Any, acme: World, server: Process) -> None:
    token = platform_token()

    listed = call(server, acme, "list_tenants", {"reason": "a test", "limit": blank, "cursor": blank}, token=token)
    silent = call(server, acme, "list_tenants", {"reason": blank}, token=token)

    assert [each["subdomain"] for each in listed["structuredContent"]["tenants"]] == ["acme"]
    assert "call list_tenants again with a reason" in text(silent)


@pytest.mark.parametrize("blank", TEXT_BLANKS, ids=repr)
def test_a_change_leaves_what_was_given_blank(blank: Any, acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        Product.objects.filter(sku="A-1").update(description="Heavy.", category="Iron")
    blanks = dict.fromkeys(["name", "description", "category", "reorder_level", "idempotency_key"], blank)
    others = {"clear": [], "dry_run": None}

    changed = call(server, acme, "update_product", {"sku": "A-1", "price": "19.98", **others, **blanks})
    settings_now = call(server, acme, "manage_tenant_settings", dict.fromkeys(["currency", "locale"], blank))

    assert [each["field"] for each in changed["structuredContent"]["changes"]] == ["price", "price_minor"]
    assert settings_now["structuredContent"]["changed"] == []
    with tenant_context(acme.id):
        product = Product.objects.get(sku="A-1")
    assert (product.price_minor, product.description, product.category) == (1998, "Heavy.", "Iron")


@pytest.mark.parametrize("blank", ["", " ", [], {}], ids=repr)
def test_a_blank_that_is_neither_true_nor_false_is_no_order_to_make_the_change(
    blank: Any, acme: World, server: Process
) -> None:
    change = call(server, acme, "update_product", {"sku": "A-1", "price": "0.01", "dry_run": blank})
    listed = call(server, acme, "get_tenant_products", {"is_active": blank})

    for result, name in ((change, "dry_run"), (listed, "is_active")):
        assert result["isError"]
        assert f"{name}: Input should be true or false" in text(result)
    with tenant_context(acme.id):
        assert Product.objects.get(sku="A-1").price_minor != 1


@pytest.mark.parametrize(
    ("schema", "blanks"),
    [
        ({"type": ["string", "null"]}, [None, "", " "]),
        ({"anyOf": [{"type": "string", "enum": ["low"]}, {"type": "null"}]}, [None, "", " "]),
        ({"type": "integer"}, [None, "", " "]),
        ({"type": ["number", "null"]}, [None, "", " "]),
        ({"type": ["array", "null"]}, [None, []]),
        ({"type": "object"}, [None, {}]),
        ({"type": ["boolean", "null"]}, [None]),
        ({"anyOf": [{"type": "string"}, {"type": "boolean"}]}, [None]),
        ({}, [None, "", " ", [], {}]),
    ],
)
def test_a_blank_is_one_of_its_own_kind(schema: dict[str, Any], blanks: list[Any]) -> None:
    assert [each for each in (None, "", " ", [], {}, 0, False) if given.is_blank(each, schema)] == blanks


def test_a_product_loses_its_category_by_name(acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        product_changes.update("A-1", category="Iron", description="Heavy.")

    call(server, acme, "update_product", {"sku": "A-1", "clear": ["category"]})

    with tenant_context(acme.id):
        product = Product.objects.get(sku="A-1")
    assert (product.category, product.description) == ("", "Heavy.")


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("get_product", {"sku": ""}, "sku: String should have at least 1 characters"),
        ("get_product", {"sku": None}, "sku: Input should be a valid string"),
        ("get_order", {"number": None}, "number: Input should be a valid integer"),
        ("get_order", {"number": ""}, "number: Input should be a valid integer"),
        ("create_order", {"items": []}, "items: Input should have at least 1 items"),
        ("create_order", {"items": None}, "items: Input should be a list"),
        ("create_order", {"items": [{"sku": "A-1", "quantity": None}]}, "items.0.quantity: Input should be a valid"),
        ("get_tenant_products", {"colour": None}, "get_tenant_products does not take 'colour'."),
        ("get_tenant_products", {"colour": ""}, "get_tenant_products does not take 'colour'."),
    ],
)
def test_what_has_to_be_given_is_refused_blank(
    name: str, arguments: dict[str, Any], words: str, acme: World, server: Process
) -> None:
    result = call(server, acme, name, arguments)

    assert result["isError"]
    assert words in text(result)


@pytest.mark.parametrize("blank", [None, "", "  "], ids=repr)
@pytest.mark.parametrize("params", [{}, {"_meta": MODERN}], ids=["legacy", "2026-07-28"])
def test_what_is_blank_was_not_given_to_a_prompt(
    params: dict[str, Any], blank: Any, acme: World, server: Process
) -> None:
    def prompted(name: str, arguments: dict[str, Any]) -> Any:
        given = {**params, "name": name, "arguments": arguments}
        answer = post(server, "acme", acme.token, "prompts/get", given).json()
        return [message["content"]["text"] for message in answer["result"]["messages"]]

    for name, takes in [
        ("month_end_report", ["month"]),
        ("restock_plan", ["category"]),
        ("customer_follow_up", ["customer", "period"]),
        ("daily_briefing", ["random_string"]),
    ]:
        without = [WHEN.sub("", text) for text in prompted(name, {})]
        assert [WHEN.sub("", text) for text in prompted(name, dict.fromkeys(takes, blank))] == without


WHEN = re.compile(r"As of .*")


@pytest.mark.parametrize("argument", [{"name": "category", "value": None}, {"name": "category"}])
def test_a_completion_of_nothing_begins_at_the_beginning(
    argument: dict[str, Any], acme: World, server: Process
) -> None:
    with tenant_context(acme.id):
        product_changes.update("A-1", category="Iron")
    ref = {"type": "ref/prompt", "name": "restock_plan"}
    params = {"ref": ref, "argument": argument, "context": {"arguments": {"month": None}}}

    answer = post(server, "acme", acme.token, "completion/complete", params).json()

    assert answer["result"]["completion"]["values"] == ["Iron"]


def test_blanks_within_objects_are_not_given_either() -> None:
    inner = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]}
    schema = {"properties": {"one": inner, "many": {"type": "array", "items": inner}}, "required": ["many"]}
    blanks = {"a": "", "b": ""}

    found = given.of(schema, {"one": blanks, "many": [blanks, {"b": 0}], "other": None})

    assert found == {"one": {"a": ""}, "many": [{"a": ""}, {"b": 0}], "other": None}


@settings(derandomize=True, database=None)
@given_values(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(min_size=1), st.lists(st.none(), min_size=1))
)
def test_what_says_something_is_given(value: Any) -> None:
    assert given.is_blank(value) is (isinstance(value, str) and not value.strip())


# What is made up.


@pytest.mark.parametrize("name", PARAMETERLESS)
def test_a_tool_that_takes_nothing_ignores_what_is_made_up(name: str, acme: World, server: Process) -> None:
    without = call(server, acme, name, {})

    assert told(call(server, acme, name, MADE_UP)) == told(without)
    assert told(call(server, acme, name, {"tenant_id": "globex", "x" * 100_000: [{}]})) == told(without)


def test_every_tool_that_takes_nothing_is_among_those(acme: World, server: Process) -> None:
    assert [name for name, names, needs_none in optional(server, "acme", acme.token) if needs_none and not names] == (
        sorted(PARAMETERLESS)
    )


@pytest.mark.parametrize("made_up", MADE_UP)
@pytest.mark.parametrize("name", ["get_tenant_users", "get_inventory", "manage_tenant_settings"])
def test_another_tool_refuses_it(name: str, made_up: str, acme: World, server: Process) -> None:
    result = call(server, acme, name, {made_up: "x"})

    assert result["isError"]
    assert text(result).startswith(f"{name} does not take '{made_up}'. Its arguments are: ")


def test_the_documents_call_works_at_both_endpoints(acme: World, server: Process) -> None:
    here = call(server, acme, "list_tenants", {"random_string": "list"})
    everywhere = call(server, acme, "list_tenants", {"random_string": "list", "reason": "x"}, token=platform_token())

    assert told(here) == told(everywhere)


# Refusals in the caller's language.

ENGLISH = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_product", {}),
        ("get_product", {"sku": 5}),
        ("get_product", {"sku": "x" * 65}),
        ("get_product", {"sku": "\0"}),
        ("get_product", {"sku": "A-1", "colour": 1}),
        ("get_tenant_products", {"serach": "x"}),
        ("get_tenant_products", {"limit": 101}),
        ("get_tenant_products", {"limit": 0}),
        ("get_tenant_products", {"limit": "many"}),
        ("get_tenant_products", {"limit": 1.5}),
        ("get_tenant_products", {"limit": [1]}),
        ("get_tenant_products", {"stock": "some"}),
        ("get_tenant_products", {"is_active": "perhaps"}),
        ("get_tenant_products", {"is_active": 7}),
        ("create_order", {"items": {"sku": "A-1"}}),
        ("create_order", {"items": ["A-1"]}),
        ("create_order", {"items": [{"sku": "A-1", "quantity": 1}] * 51}),
        ("create_order", {"items": [{"sku": "A-1", "quantity": 1, "price": 1}]}),
        ("manage_tenant_settings", {"locale": "xx"}),
        ("manage_tenant_settings", {"currency": "eur"}),
        ("add_numbers", {"a": "x", "b": 1}),
        ("add_numbers", {"a": None, "b": 1}),
        ("add_numbers", {"a": "NaN", "b": 1}),
        ("add_numbers", {"a": 1e308, "b": 1e308}),
    ],
)
def test_a_refusal_is_in_the_callers_language(
    name: str, arguments: dict[str, Any], acme: World, server: Process
) -> None:
    chinese = call(server, acme, name, arguments, language="zh-TW")
    english = call(server, acme, name, arguments)

    assert chinese["isError"]
    assert english["isError"]
    assert re.search("[\u4e00-\u9fff]", text(chinese))
    assert not ENGLISH.search(text(chinese)), text(chinese)
    assert not re.search("[\u4e00-\u9fff]", text(english))


@pytest.mark.parametrize(
    ("name", "arguments", "place"),
    [
        ("get_product", {"sku": "A-1\0"}, "sku"),
        ("create_order", {"items": [{"sku": "A-1\0", "quantity": 1}]}, "items.0.sku"),
        # The SDK reads a list out of a text.
        ("create_order", {"items": '[{"sku": "A-1\\u0000", "quantity": 1}]'}, "items.0.sku"),
        ("adjust_stock", {"sku": "A-1", "quantity": 1, "reason": "count", "idempotency_key": "a\0"}, "idempotency_key"),
        ("shop_raw", {"statement": "SELECT 1 -- \0"}, "statement"),
    ],
)
def test_no_text_has_a_nul_in_it(
    name: str, arguments: dict[str, Any], place: str, acme: World, server: Process
) -> None:
    result = call(server, acme, name, arguments)

    assert result["isError"]
    assert text(result) == (
        f"The arguments of {name} are not valid: {place}: A text must not contain NUL (U+0000). "
        "Correct them and call it again."
    )


def test_an_unknown_tool_and_prompt_are_refused_in_the_callers_language(acme: World, server: Process) -> None:
    for method, name in (("tools/call", "get_prodcut"), ("prompts/get", "restock_paln")):
        answer = post(server, "acme", acme.token, method, {"name": name, "arguments": {}}, "zh-TW").json()
        words = str(answer.get("error") or answer["result"])
        assert name in words
        assert "您是指" in words


def test_a_long_name_is_not_said_again(acme: World, server: Process) -> None:
    long = "x" * 50_000

    unknown = call(server, acme, "get_inventory", {long: 1, long + "y": 2})
    inner = call(server, acme, "create_order", {"items": [{"sku": "A-1", "quantity": 1, long: 1}]})
    tool = post(server, "acme", acme.token, "tools/call", {"name": long, "arguments": {}})
    prompt = post(server, "acme", acme.token, "prompts/get", {"name": "restock_plan", "arguments": {long: "x"}})
    resource = post(server, "acme", acme.token, "resources/read", {"uri": f"nothing://{long}"}).json()
    method = post(server, "", platform_token(), f"prompts/{long}", {}).json()

    assert len(text(unknown)) < 500
    assert len(text(inner)) < 500
    assert len(tool.content) < 3000
    assert len(prompt.content) < 1000
    assert resource["error"]["message"].startswith("There is no resource nothing://xxx")
    assert len(resource["error"]["message"]) < 500
    assert method["error"]["message"].startswith("prompts/xxx")
    assert len(str(method)) < 1000


# Numbers.

# JSON has no words for these (RFC 8259, 6): the body is refused before a tool is looked for.
NO_JSON = ["NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize("number", [*NO_JSON, "1e999", "100000000000000000000000", '"NaN"', "-1e400"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_order", '{"number": %s}'),
        ("get_tenant_products", '{"limit": %s}'),
        ("get_tenant_products", '{"min_price": %s}'),
        ("adjust_stock", '{"sku": "A-1", "reason": "count", "quantity": %s}'),
        ("create_order", '{"items": [{"sku": "A-1", "quantity": %s}]}'),
        ("create_demo_data", '{"seed": %s}'),
        ("manage_tenant_settings", '{"max_order": %s}'),
        ("update_product", '{"sku": "A-1", "reorder_level": %s}'),
        ("shop_steps", '{"steps": %s}'),
    ],
)
def test_a_number_that_is_none_is_refused_in_words(
    name: str, arguments: str, number: str, acme: World, server: Process
) -> None:
    answer = raw(server, acme, name, arguments % number)

    if number in NO_JSON:
        assert answer["error"]["code"] == PARSE_ERROR, answer
    else:
        assert answer["result"]["isError"], answer
        assert f"The arguments of {name} are not valid: " in text(answer["result"])


def raw(server: Process, world: World, name: str, arguments: str) -> Any:
    """A call whose arguments are written as no JSON library would."""
    params = f'{{"name": "{name}", "arguments": {arguments}}}'
    body = f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {params}}}'
    headers = {
        "Authorization": f"Bearer {world.token}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Accept-Language": "en",
    }
    return httpx2.post(server.mcp(world.subdomain), content=body, headers=headers, timeout=300).json()


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity"])
def test_a_text_is_no_way_around_it(number: str, acme: World, server: Process) -> None:
    result = call(server, acme, "add_numbers", {"a": number, "b": 1})

    assert text(result).startswith("The arguments of add_numbers are not valid: a: Input should be a finite number.")


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ("2", "0.5", "2.5"),
        ("123456789", "1", "123456790"),
        ("0.1", "0.2", "0.30000000000000004"),
        ("-0", "-0.0", "0"),
        ("-1", "1", "0"),
        ("1e308", "0", "1e+308"),
        ("100000000000000000000", "1", "1e+20"),
    ],
)
def test_a_sum_is_the_same_in_both_forms(a: str, b: str, said: str, acme: World, server: Process) -> None:
    result = raw(server, acme, "add_numbers", f'{{"a": {a}, "b": {b}}}')["result"]

    assert (text(result), float(said)) == (said, result["structuredContent"]["result"])
    assert not str(result["structuredContent"]["result"]).startswith("-0")


@pytest.mark.parametrize(("a", "b"), [("1e308", "1e308"), ("-1e308", "-1.7e308")])
def test_a_sum_that_no_number_is_is_refused_in_words(a: str, b: str, acme: World, server: Process) -> None:
    result = raw(server, acme, "add_numbers", f'{{"a": {a}, "b": {b}}}')["result"]

    assert result["isError"]
    assert text(result) == "The sum is too large for a number. Call add_numbers with smaller numbers."


def test_an_answer_with_such_a_number_is_refused_whatever_tool_gives_it() -> None:
    with translation.override("en"), pytest.raises(ToolError, match="what JSON can't carry: infinity, NaN"):
        results.of(shapes.of(add_numbers), Sum(result=float("inf")))


class Line(BaseModel):
    """A line of what is ordered."""

    sku: str
    quantity: int


@dataclass(frozen=True)
class Box:
    """A box."""

    weight: float


def take(
    whole: int = 0,
    broken: float = 0.0,
    text: str = "",
    either: int | str = 0,
    flag: bool = False,
    flag_or_number: bool | int = False,
    perhaps: int | None = None,
    few: Annotated[int, Field(ge=0)] = 0,
    choice: Literal[1, 2] = 1,
    numbers: list[int] = [],  # noqa: B006  (never changed)
    pair: tuple[int, str] = (0, ""),
    counts: dict[str, int] = {},  # noqa: B006
    lines: list[Line] = [],  # noqa: B006
    thing: Line | Box | None = None,
    anything: Any = None,
) -> str:
    """Take."""
    values = list(locals().values())
    defaults = [each.default for each in inspect.signature(take).parameters.values()]
    return repr([each for each, default in zip(values, defaults, strict=True) if each != default])


NO_BOOLEAN = "Input should be a number, not true or false"
NO_ROOM = "Input should be a number between -2^63 and 2^63-1"
HALF = "A text must not contain half a character (U+D800 to U+DFFF)"
NUL = "A text must not contain NUL (U+0000)"
MISFITS = [
    ({"whole": True}, "whole", NO_BOOLEAN),
    ({"whole": False}, "whole", NO_BOOLEAN),
    ({"broken": True}, "broken", NO_BOOLEAN),
    ({"either": True}, "either", NO_BOOLEAN),
    ({"perhaps": False}, "perhaps", NO_BOOLEAN),
    ({"few": True}, "few", NO_BOOLEAN),
    ({"choice": True}, "choice", NO_BOOLEAN),
    ({"numbers": [1, True]}, "numbers.1", NO_BOOLEAN),
    ({"numbers": "[true]"}, "numbers.0", NO_BOOLEAN),
    ({"pair": [True, "a"]}, "pair.0", NO_BOOLEAN),
    ({"counts": {"a": False}}, "counts.a", NO_BOOLEAN),
    ({"lines": [{"sku": "A-1", "quantity": True}]}, "lines.0.quantity", NO_BOOLEAN),
    ({"lines": '[{"sku": "A-1", "quantity": true}]'}, "lines.0.quantity", NO_BOOLEAN),
    ({"thing": {"sku": "A-1", "quantity": True}}, "thing.quantity", NO_BOOLEAN),
    ({"thing": {"weight": True}}, "thing.weight", NO_BOOLEAN),
    ({"whole": "9223372036854775808"}, "whole", NO_ROOM),
    ({"whole": " -9_223_372_036_854_775_809.0 "}, "whole", NO_ROOM),
    ({"perhaps": "9" * 400}, "perhaps", NO_ROOM),
    ({"lines": '[{"sku": "A-1", "quantity": "99999999999999999999"}]'}, "lines.0.quantity", NO_ROOM),
    ({"text": "a\ud800"}, "text", HALF),
    ({"numbers": '["\\udfff"]'}, "numbers.0", HALF),
    ({"lines": '[{"sku": "\\ud83d", "quantity": 1}]'}, "lines.0.sku", HALF),
    ({"counts": {"a\udc00": 1}}, "counts.a\\udc00", HALF),
    ({"anything": [{"a": ["\ud800"]}]}, "anything.0.a.0", HALF),
    ({"anything": {"a": {"b": "\0"}}}, "anything.a.b", NUL),
    ({"counts": {"a\0": 1}}, "counts.a\\0", NUL),
]


@pytest.mark.parametrize(("arguments", "place", "problem"), MISFITS)
def test_what_python_would_take_for_something_else_is_refused(
    arguments: dict[str, Any], place: str, problem: str
) -> None:
    with translation.override("en"), pytest.raises(ToolError) as refused:
        taken(arguments)

    assert str(refused.value) == (
        f"The arguments of take are not valid: {place}: {problem}. Correct them and call it again."
    )
    str(refused.value).encode()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"whole": "5"}, "[5]"),
        ({"whole": 5.0}, "[5]"),
        ({"whole": str(2**63 - 1)}, f"[{2**63 - 1}]"),
        ({"whole": str(-(2**63))}, f"[{-(2**63)}]"),
        ({"broken": 2}, "[2.0]"),
        ({"text": "99999999999999999999"}, "['99999999999999999999']"),
        ({"either": "99999999999999999999"}, "['99999999999999999999']"),
        ({"text": "\U0001f600"}, "['\U0001f600']"),
        ({"flag": True}, "[True]"),
        ({"flag_or_number": True}, "[True]"),
        ({"anything": [True, {"a": False}]}, "[[True, {'a': False}]]"),
    ],
)
def test_what_can_be_meant_is_taken(arguments: dict[str, Any], said: str) -> None:
    assert taken(arguments).content[0].text == said


def taken(arguments: dict[str, Any]) -> Any:
    """The answer of `take`, from a server that has nothing else."""
    mcp = own()
    mcp.tool(scope=None, read_only=True)(take)
    token = context._principal.set(Principal("public", None, ""))
    try:
        return asyncio.run(sdk.build(mcp, Endpoint.TENANT).call_tool("take", arguments))
    finally:
        context._principal.reset(token)
