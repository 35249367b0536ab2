"""What a tool may return, and what becomes of it: through the official client, in process, on a server of its own."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import pytest
from django.utils import translation
from jsonschema import Draft202012Validator
from mcp.server.mcpserver import Audio, Context, Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolResult,
    EmbeddedResource,
    InputRequiredResult,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic import Base64Bytes, BaseModel, Field
from typing_extensions import TypedDict

from core.models import Product
from mcp_server import MCP, ask
from mcp_server import server as sdk
from mcp_server.call import results
from mcp_server.declare.tools import Endpoint
from mcp_server.http import context
from mcp_server.ledger.models import AuditEvent
from mcp_server.principals import Principal
from rls import tenant_context
from tests.support.servers import own
from tests.support.world import World

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Status(StrEnum):
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    status: Status
    opened_on: date
    is_urgent: bool = False
    note: str | None = None


class Report(BaseModel):
    title: str
    rows: list[Row]
    tags: list[str] = []


class Typed(TypedDict):
    name: str
    counts: dict[str, int]


ROW = Row(7, Status.OPEN, date(2026, 11, 27), note="Two\nlines")
ROW_TEXT = "number: 7\nstatus: open\nopened_on: 2026-11-27\nis_urgent: no\nnote:\n  Two\n  lines"
PLAIN_ROW = {"number": 7, "status": "open", "opened_on": "2026-11-27", "is_urgent": False, "note": "Two\nlines"}


def a_dataclass() -> Row:
    """A dataclass."""
    return ROW


def a_model() -> Report:
    """A model."""
    return Report(title="November", rows=[ROW], tags=[])


def a_typed_dict() -> Typed:
    """A TypedDict."""
    return {"name": "a", "counts": {"b": 1}}


def a_list() -> list[Row]:
    """A list."""
    return [ROW]


def an_empty_list() -> list[Row]:
    """A list."""
    return []


def a_number() -> int:
    """A number."""
    return 7


class Aliased(BaseModel):
    number: int = Field(serialization_alias="orderNumber")


def an_alias() -> Aliased:
    """A model whose fields have other names in JSON."""
    return Aliased(number=7)


class Coded(BaseModel):
    code: Base64Bytes


def some_bytes() -> Coded:
    """A model with bytes that say how they are written."""
    return Coded(code=base64.b64encode(b"\xff"))


def a_row_or_none() -> Row | None:
    """Perhaps a row."""
    return None


STRUCTURED: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (a_dataclass, PLAIN_ROW, ROW_TEXT),
    (
        a_model,
        {"title": "November", "rows": [PLAIN_ROW], "tags": []},
        "title: November\nrows:\n  - number: 7\n    status: open\n    opened_on: 2026-11-27\n    is_urgent: no\n"
        "    note:\n      Two\n      lines\ntags: none",
    ),
    (a_typed_dict, {"name": "a", "counts": {"b": 1}}, "name: a\ncounts:\n  b: 1"),
    (
        a_list,
        {"result": [PLAIN_ROW]},
        "- number: 7\n  status: open\n  opened_on: 2026-11-27\n  is_urgent: no\n  note:\n    Two\n    lines",
    ),
    (an_empty_list, {"result": []}, "none"),
    (a_number, {"result": 7}, "7"),
    (a_row_or_none, {"result": None}, "none"),
    (an_alias, {"orderNumber": 7}, "orderNumber: 7"),
    (some_bytes, {"code": "/w=="}, "code: /w=="),
]


@pytest.fixture
def acting(acme: World) -> Iterator[World]:
    """Calls of this task are those of acme."""
    caller = Principal("tests", acme.id, "acme", id="tests", scopes=frozenset({"all"}))
    token = context._principal.set(caller)
    with translation.override("en"), tenant_context(acme.id):
        yield acme
    context._principal.reset(token)


def called(mcp: MCP, name: str, **arguments: Any) -> Any:
    """The result of a call, and the schema that is published of it."""
    served = sdk.build(mcp, Endpoint.TENANT)
    [listed] = [each for each in asyncio.run(served.list_tools()) if each.name == name]
    return asyncio.run(served.call_tool(name, arguments)), listed.output_schema


@pytest.mark.parametrize(("function", "structured", "text"), STRUCTURED, ids=lambda each: getattr(each, "__name__", ""))
def test_both_forms_and_the_schema_follow_from_the_annotation(
    function: Callable[..., Any], structured: dict[str, Any], text: str, acting: World
) -> None:
    mcp = own()
    mcp.tool(scope="all", read_only=True)(function)

    result, schema = called(mcp, function.__name__)

    assert result.structured_content == structured
    assert [block.text for block in result.content] == [text]
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(structured)
    assert schema["type"] == "object"


def test_a_text_is_a_text(acting: World) -> None:
    mcp = own()

    @mcp.tool(scope="all", read_only=True)
    def a_text() -> str:
        """A text."""
        return "Hello"

    result, schema = called(mcp, "a_text")

    assert [block.text for block in result.content] == ["Hello"]
    assert (result.structured_content, schema) == (None, None)


def test_a_text_that_is_not_there_is_none(acting: World) -> None:
    mcp = own()

    @mcp.tool(scope="all", read_only=True)
    def perhaps() -> str | None:
        """Perhaps a text."""
        return None

    assert [block.text for block in called(mcp, "perhaps")[0].content] == ["none"]


HALF_A_CHARACTER = "\ud83d"


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (str, HALF_A_CHARACTER),
        (dict[str, str], {"a": HALF_A_CHARACTER}),
        (list[TextContent], [TextContent(type="text", text=HALF_A_CHARACTER)]),
        (float, math.nan),
        (dict[str, float], {"a": -math.inf}),
    ],
)
def test_what_json_cannot_carry_is_refused_before_a_change_is_kept(annotation: Any, value: Any, acting: World) -> None:
    mcp = own()

    def rename() -> Any:
        """Rename all products."""
        Product.objects.update(name="Renamed")
        return value

    rename.__annotations__["return"] = annotation
    mcp.tool(scope="all", read_only=False)(rename)

    with pytest.raises(ToolError, match="what JSON can't carry: infinity, NaN, or half of a character"):
        called(mcp, "rename")

    assert not Product.objects.filter(name="Renamed").exists()


def test_content_of_the_protocol_keeps_its_order(acting: World) -> None:
    mcp = own()
    link = ResourceLink(type="resource_link", uri="shop://names", name="names")
    embedded = EmbeddedResource(
        type="resource", resource=TextResourceContents(uri="shop://names", text="a", mime_type="text/plain")
    )

    @mcp.tool(scope="all", read_only=True)
    def much() -> list[str | Image | Audio | ResourceLink | EmbeddedResource | TextContent]:
        """Much."""
        image, audio = Image(data=PIXEL, format="png"), Audio(data=b"RIFF", format="wav")
        return ["before", image, audio, link, embedded, TextContent(type="text", text="after")]

    @mcp.tool(scope="all", read_only=True)
    def one() -> Image:
        """One."""
        return Image(data=PIXEL, format="png")

    result, schema = called(mcp, "much")
    alone, _ = called(mcp, "one")

    kinds = [block.type for block in result.content]
    assert kinds == ["text", "image", "audio", "resource_link", "resource", "text"]
    assert (result.structured_content, schema) == (None, None)
    assert base64.b64decode(alone.content[0].data) == PIXEL


def test_a_result_and_an_error_of_the_protocol_pass_as_they_are(acting: World) -> None:
    mcp = own()
    whole = CallToolResult(content=[TextContent(type="text", text="a")], is_error=True)

    @mcp.tool(scope="all", read_only=True)
    def passing() -> CallToolResult:
        """A result."""
        return whole

    @mcp.tool(scope="all", read_only=True)
    def failing() -> str:
        """An error."""
        raise MCPError(-32042, "Look at https://example.com first", data={"a": 1})

    result, _ = called(mcp, "passing")
    with pytest.raises(MCPError) as refused:
        called(mcp, "failing")

    assert result == whole
    assert (refused.value.error.code, refused.value.error.data) == (-32042, {"a": 1})


def test_a_tool_has_the_context_of_its_call_and_may_ask_by_itself(acting: World) -> None:
    mcp = own()

    @mcp.tool(scope="all", read_only=True)
    async def asking(name: str, ctx: Context[Any, Any]) -> str | InputRequiredResult:
        """Asks."""
        return InputRequiredResult(request_state=f"{name} {ctx.request_state}")

    served = sdk.build(mcp, Endpoint.TENANT)
    [listed] = asyncio.run(served.list_tools())
    result = asyncio.run(served.call_tool("asking", {"name": "a"}, Context()))

    assert listed.input_schema["properties"].keys() == {"name"}
    assert isinstance(result, InputRequiredResult)
    assert result.request_state == "a None"


def changing(mcp: MCP) -> None:
    @mcp.tool(scope="all", read_only=False, asks=True)
    def set_stock(sku: str, stock: int) -> Row:
        """Sets a stock."""
        if stock > 10:
            ask(f"Set {sku} to {stock}?")
        Product.objects.filter(sku=sku).update(stock=stock)
        return ROW


def test_a_change_needs_no_class_of_its_own(acting: World) -> None:
    mcp = own()
    changing(mcp)

    dry, schema = called(mcp, "set_stock", sku="A-1", stock=11, dry_run=True)
    before = Product.objects.get().stock
    done, _ = called(mcp, "set_stock", sku="A-1", stock=9, idempotency_key="k")
    again, _ = called(mcp, "set_stock", sku="A-1", stock=9, idempotency_key="k")

    step = f"call set_stock with the same arguments and confirmation={dry.structured_content['confirmation']}."
    assert dry.content[0].text == "\n".join(
        [
            "Dry run: nothing was changed.",
            ROW_TEXT,
            "A person has to agree first: Set A-1 to 11?",
            f"If the answer is yes, {step}",
        ]
    )
    assert dry.structured_content.items() >= {**PLAIN_ROW, "dry_run": True, "question": "Set A-1 to 11?"}.items()
    assert before == 5
    assert done.structured_content.items() >= {**PLAIN_ROW, "dry_run": False}.items()
    assert done.content[0].text == ROW_TEXT
    assert again.model_dump() == done.model_dump()
    Draft202012Validator(schema).validate(done.structured_content)
    assert Product.objects.get().stock == 9
    [event] = AuditEvent.objects.filter(action="set_stock")
    assert (event.subject, event.details) == ("sku A-1, stock 9", {"sku": "A-1", "stock": 9})


def test_a_tool_that_only_reads_asks_nobody_and_is_not_taken_for_agreed(
    acting: World, caplog: pytest.LogCaptureFixture
) -> None:
    mcp = own()
    sent: list[str] = []

    @mcp.tool(scope="all", read_only=True)
    def mailed() -> str:
        """Mails."""
        ask("Mail everybody?")
        sent.append("mail")
        return "Mailed"

    @mcp.tool(scope="all", read_only=True)
    async def mailed_async() -> str:
        """Mails."""
        ask("Mail everybody?")
        sent.append("mail")
        return "Mailed"

    for name in ("mailed", "mailed_async"):
        with pytest.raises(ToolError, match=f"{name} failed unexpectedly"):
            called(mcp, name)

    assert sent == []
    assert "tool mailed asks a person, and only a tool that changes something may" in caplog.text


def test_a_change_may_return_a_text_an_image_or_nothing(acting: World) -> None:
    mcp = own()

    @mcp.tool(scope="all", read_only=False)
    def drawn() -> list[str | Image]:
        """Draws."""
        return ["a", Image(data=PIXEL, format="png")]

    @mcp.tool(scope="all", read_only=False)
    def said() -> str:
        """Says."""
        return "Said"

    @mcp.tool(scope="all", read_only=False)
    def quiet() -> None:
        """Nothing."""

    image, _ = called(mcp, "drawn", idempotency_key="k")
    again, _ = called(mcp, "drawn", idempotency_key="k")
    dry, _ = called(mcp, "said", dry_run=True)
    nothing, _ = called(mcp, "quiet")

    assert [block.type for block in image.content] == ["text", "image"]
    assert again == image
    assert dry.content[0].text.splitlines()[:2] == ["Dry run: nothing was changed.", "Said"]
    assert nothing.content[0].text == "It is done."


def test_lists_in_lists_are_indented() -> None:
    with translation.override("en"):
        assert list(results.lines({"a": [[1, 2], []], "b": {}, "c": ""})) == [
            "a:",
            "  - - 1",
            "    - 2",
            "  - none",
            "b: none",
            "c: ",
        ]
