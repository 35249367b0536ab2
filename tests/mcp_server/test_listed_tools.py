"""What `tools/list` and the greeting say: short, once, and in schemas that strict clients take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import httpx2
import pytest
from django.core.exceptions import ImproperlyConfigured
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from mcp_server import MCP
from mcp_server import server as sdk
from mcp_server.declare.tools import Answer, Endpoint
from tests.support.processes import Process
from tests.support.servers import own
from tests.support.world import World, platform_token

MAX_BYTES = 40_000
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
LEGACY = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}


def post(
    server: Process, tenant: str, token: str, method: str, params: dict[str, Any], language: str = "en"
) -> httpx2.Response:
    """One message as a client sends it, and its answer as it arrives."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "Accept-Language": language,
        "MCP-Protocol-Version": "2026-07-28" if "_meta" in params else "2025-11-25",
        "MCP-Method": method,
    }
    if "name" in params and len(params["name"]) < 100:
        headers["MCP-Name"] = params["name"]
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx2.post(server.mcp(tenant), json=message, headers=headers, timeout=300)


@pytest.fixture(params=["acme", ""])
def at(request: pytest.FixtureRequest, acme: World) -> tuple[str, str]:
    """Each endpoint, with a token that has every scope."""
    return (request.param, acme.token) if request.param else ("", platform_token())


@pytest.mark.parametrize("language", ["en", "zh-TW"])
@pytest.mark.parametrize("params", [{}, {"_meta": MODERN}], ids=["legacy", "2026-07-28"])
def test_the_list_of_tools_is_short(
    params: dict[str, Any], language: str, at: tuple[str, str], server: Process
) -> None:
    answer = post(server, *at, "tools/list", params, language)

    listed = answer.json()["result"]["tools"]
    # Those of tests/shop are not the project's.
    ours = [each for each in listed if not each["name"].startswith("shop_")]
    assert ours
    assert len(answer.content) < size(listed) + 500, "more travels than is measured"
    assert size(ours) < MAX_BYTES, "shorten a description, or say it once in the instructions"


def size(tools: list[dict[str, Any]]) -> int:
    """Bytes of the tools as they travel at the most: in the newest protocol Chinese is escaped."""
    return len(json.dumps(tools, separators=(",", ":")))


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema."""
    if isinstance(schema, dict):
        yield schema
        for each in schema.values():
            yield from parts(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from parts(each)


def test_schemas_stand_alone_and_are_valid(at: tuple[str, str], server: Process) -> None:
    for each in post(server, *at, "tools/list", {}).json()["result"]["tools"]:
        for schema in (each["inputSchema"], each["outputSchema"]):
            Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
            for part in parts(schema):
                assert not {"$ref", "$defs", "oneOf", "allOf", "discriminator"} & part.keys(), each["name"]
                assert "" not in part.get("enum", ()), "Gemini refuses an empty text in an enum"


def test_what_may_be_left_out_may_be_null_or_empty(at: tuple[str, str], server: Process) -> None:
    for each in post(server, *at, "tools/list", {}).json()["result"]["tools"]:
        schema = each["inputSchema"]
        for name, part in schema["properties"].items():
            if name in schema.get("required", ()):
                continue
            assert Draft202012Validator(part).is_valid(None), (each["name"], name)
            if "string" in part.get("type", ()):
                assert Draft202012Validator(part).is_valid(""), (each["name"], name)


def test_what_holds_for_every_tool_is_said_once(at: tuple[str, str], server: Process) -> None:
    instructions = post(server, *at, "initialize", LEGACY).json()["result"]["instructions"]
    discovered = post(server, *at, "server/discover", {"_meta": MODERN}).json()["result"]["instructions"]

    assert instructions == discovered
    words = ["dry_run", "confirmation", "next_cursor", "time_zone", "20,000 tokens"]
    words += ["decimals", "tenant's time zone", "_minor", "idempotency_key"] if at[0] else ["reason"]
    for word in words:
        assert word in instructions


def test_the_instructions_say_of_reasons_and_keys_what_the_tools_take(at: tuple[str, str], server: Process) -> None:
    instructions = post(server, *at, "initialize", LEGACY).json()["result"]["instructions"]
    listed = post(server, *at, "tools/list", {}).json()["result"]["tools"]
    ours = {each["name"]: each["inputSchema"]["properties"] for each in listed if not each["name"].startswith("shop_")}

    assert ("idempotency_key" in instructions) is any("idempotency_key" in takes for takes in ours.values())
    if not at[0]:
        assert "Every call that touches data needs a reason" in instructions
        assert [name for name, takes in ours.items() if "reason" not in takes] == ["add_numbers"]


# A third party's tools.


class Box(BaseModel):
    """A box, which may hold others."""

    label: str = ""
    inner: list[Box] = []


class Lid(BaseModel):
    """Part of a box."""

    colour: Annotated[str, Field(min_length=1, description="Any.")] = "red"
    size: int | None = None


class Boxes(Answer):
    """Boxes that hold no others."""

    lids: list[Lid]
    other: Lid | None

    def text(self) -> str:
        return ""


class Nested(Answer):
    """Boxes within boxes."""

    box: Box

    def text(self) -> str:
        return ""


def published(mcp: MCP) -> Any:
    [found] = sdk.build(mcp, Endpoint.TENANT)._tool_manager.list_tools()
    return found


def test_a_type_of_a_third_party_stands_where_it_is_used() -> None:
    mcp = own()

    @mcp.tool(scope=None, title="Boxes", read_only=True)
    def boxes(lid: Lid, more: list[Lid] | None = None, by_name: dict[str, Lid] | None = None) -> Boxes:
        """Boxes."""
        return Boxes(lids=[], other=lid)

    found = published(mcp)

    text = json.dumps([found.parameters, found.output_schema])
    assert "$" not in text
    assert found.parameters["properties"]["more"]["items"]["properties"].keys() == {"colour", "size"}
    assert found.parameters["properties"]["by_name"]["additionalProperties"]["properties"]["size"] == {
        "type": ["integer", "null"]
    }
    # Within an object too, what may be left out may be empty.
    assert found.parameters["properties"]["lid"]["properties"]["colour"] == {
        "type": ["string", "null"],
        "default": "red",
        "description": "Any.",
    }
    Draft202012Validator(found.output_schema).validate(Boxes(lids=[Lid()], other=Lid()).model_dump(mode="json"))


def test_a_type_that_holds_itself_is_refused_at_the_start_as_an_argument() -> None:
    mcp = own()

    @mcp.tool(scope=None, title="Boxes", read_only=True)
    def pack(box: Box) -> Boxes:
        """Boxes."""
        return Boxes(lids=[], other=None)

    with pytest.raises(ImproperlyConfigured, match="tool pack: Box holds itself"):
        sdk.build(mcp, Endpoint.TENANT)


def test_a_type_that_holds_itself_is_refused_at_the_start_as_an_answer() -> None:
    mcp = own()

    @mcp.tool(scope=None, title="Boxes", read_only=True)
    def unpack() -> Nested:
        """Boxes."""
        return Nested(box=Box())

    with pytest.raises(ImproperlyConfigured, match="tool unpack: Box holds itself"):
        sdk.build(mcp, Endpoint.TENANT)
