"""Resources and prompts as a stranger writes them: plain functions, whose names, docstrings and results are enough."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypedDict, TypeVar
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.utils import translation
from mcp.shared.exceptions import MCPError
from mcp_types import CompletionArgument, PromptMessage, PromptReference, TextContent
from starlette.requests import HTTPConnection

from core.models import Product
from mcp_server import MCP, Argument, Content, anyone
from mcp_server import server as sdk
from mcp_server.declare.registry import serving
from mcp_server.declare.tools import Endpoint
from mcp_server.http import context
from mcp_server.principals import Principal
from mcp_server.read import completions
from tests.mcp_server.test_app import asked, call
from tests.support.servers import own
from tests.support.world import World

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A product in a list."""

    id: UUID
    name: str
    on: date


class Count(TypedDict):
    """How many there are."""

    count: int


Sku = Annotated[str, Argument("The sku of a product.")]


def names(typed: str, most: int) -> QuerySet[Product, str]:
    return Product.objects.filter(name__istartswith=typed).values_list("name", flat=True)[:most]


@pytest.fixture
def mcp() -> MCP:
    """A server whose resources and prompts say no more than they must."""
    mcp = MCP("plain", apps=[], authenticate=anyone)

    @mcp.resource("shelf://rows/{sku}", scope="shelf:read")
    def shelf_rows(sku: Sku) -> list[Row]:
        """The rows of a shelf."""
        return [Row(each.id, each.name, date(2026, 11, 23)) for each in Product.objects.filter(sku=sku)]

    @mcp.resource("shelf://count", scope=None)
    def shelf_count() -> Count:
        """How many products there are."""
        return {"count": Product.objects.count()}

    @mcp.resource("shelf://text", scope=None)
    def shelf_text() -> str:
        """The names of the products."""
        return ", ".join(product.name for product in Product.objects.all())

    @mcp.resource("shelf://picture", scope=None, title="A picture", mime_type="image/png")
    def shelf_picture() -> bytes:
        """A picture."""
        return b"\x89PNG"

    @mcp.resource("shelf://both", scope=None)
    def shelf_both() -> list[Content]:
        """In two parts."""
        return [Content("1", "text/plain"), Content("{}", "application/json")]

    @mcp.prompt(scope="shelf:read")
    def look_after(sku: Sku, tone: Annotated[str, Argument("How.")] = "kindly") -> str:
        """Suggests what to do
        about a product.
        """
        return f"Ask {tone} for {sku}."

    @mcp.prompt(scope=None)
    def two_messages() -> list[Any]:
        """Says two things."""
        return ["First.", PromptMessage(role="assistant", content=TextContent(type="text", text="Second."))]

    return mcp


def acting(call: Coroutine[Any, Any, T]) -> T:
    """What a call of the server returns to anybody."""
    token = context._principal.set(Principal("public", None, "", scopes=frozenset({"shelf:read"})))
    try:
        return asyncio.run(call)
    finally:
        context._principal.reset(token)


def answered(mcp: MCP, method: str, **params: Any) -> Any:
    """The body of the answer at acme's URL."""
    return asked(mcp.asgi(), lambda client: call(client, "/mcp/acme/", method, **params)).json()


def contents(mcp: MCP, uri: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answered(mcp, "resources/read", uri=uri)["result"]["contents"]
    return found


def test_what_json_can_say_is_json(acme: World, globex: World, mcp: MCP) -> None:
    [rows] = contents(mcp, "shelf://rows/A-1")
    [count] = contents(mcp, "shelf://count")

    assert rows["mimeType"] == count["mimeType"] == "application/json"
    assert json.loads(rows["text"]) == [{"id": str(acme.product_id), "name": "Acme anvil", "on": "2026-11-23"}]
    assert json.loads(count["text"]) == {"count": 1}


def test_a_text_is_a_text_and_bytes_are_bytes(acme: World, mcp: MCP) -> None:
    [text] = contents(mcp, "shelf://text")
    [picture] = contents(mcp, "shelf://picture")

    assert (text["mimeType"], text["text"]) == ("text/plain", "Acme anvil")
    assert (picture["mimeType"], base64.b64decode(picture["blob"])) == ("image/png", b"\x89PNG")
    assert [each["mimeType"] for each in contents(mcp, "shelf://both")] == ["text/plain", "application/json"]


def test_names_and_docstrings_are_the_titles_and_descriptions(acme: World, mcp: MCP) -> None:
    resources = {each["name"]: each for each in answered(mcp, "resources/list")["result"]["resources"]}
    prompts = {each["name"]: each for each in answered(mcp, "prompts/list")["result"]["prompts"]}

    assert resources["shelf_count"]["title"] == "Shelf count"
    assert resources["shelf_count"]["description"] == "How many products there are."
    assert resources["shelf_picture"]["title"] == "A picture"
    assert resources["shelf_text"]["mimeType"] == "text/plain"
    assert prompts["look_after"]["description"] == "Suggests what to do about a product."
    assert {each["name"]: each["required"] for each in prompts["look_after"]["arguments"]} == {
        "sku": True,
        "tone": False,
    }


def test_a_prompt_may_be_a_text_or_messages(acme: World, mcp: MCP) -> None:
    one = answered(mcp, "prompts/get", name="look_after", arguments={"sku": "A-1"})["result"]["messages"]
    two = answered(mcp, "prompts/get", name="two_messages")["result"]["messages"]

    assert [(each["role"], each["content"]["text"]) for each in one] == [("user", "Ask kindly for A-1.")]
    assert [(each["role"], each["content"]["text"]) for each in two] == [("user", "First."), ("assistant", "Second.")]


def test_a_prompt_that_needs_an_argument_says_so(acme: World, mcp: MCP) -> None:
    error = answered(mcp, "prompts/get", name="look_after", arguments={"sku": " "})["error"]

    assert (error["code"], error["message"]) == (-32602, "look_after needs sku. Get it again with a value for each.")


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "a\udfff", "\ude00\ud83d"])
def test_an_argument_that_the_database_has_no_text_for_is_refused(text: str, mcp: MCP) -> None:
    server = sdk.build(mcp, Endpoint.TENANT)

    with translation.override("en"), pytest.raises(MCPError) as prompt:
        acting(server.get_prompt("look_after", {"sku": text}))
    with translation.override("en"), pytest.raises(MCPError) as resource:
        acting(server.read_resource(f"shelf://rows/{text}"))

    assert prompt.value.message == "sku is a text of at most 300 characters, none of them NUL or half a character."
    assert resource.value.message.startswith("There is no resource shelf://rows/")


@pytest.mark.parametrize("text", ["\0", "\ud800"])
def test_nothing_is_suggested_for_what_the_database_has_no_text_for(text: str) -> None:
    asked_for: list[str] = []
    mcp = MCP("suggesting", apps=[], authenticate=anyone)

    @mcp.prompt(scope=None)
    def look_after(sku: Annotated[str, Argument("Its sku.", lambda typed, most: asked_for.append(typed) or [])]) -> str:
        """Look after a product."""
        return sku

    with serving(mcp.registry()):
        ref, typed = PromptReference(name="look_after"), CompletionArgument(name="sku", value=text)
        completion = acting(completions.complete(ref, typed, None))

    assert (completion.values, asked_for) == ([], [])


def test_suggestions_may_be_a_query_that_nobody_has_run_yet(acme: World, globex: World) -> None:
    mcp = MCP("suggesting", apps=[], authenticate=anyone)

    @mcp.prompt(scope=None)
    def look_at(name: Annotated[str, Argument("Its name.", names)]) -> str:
        """Looks at a product."""
        return name

    params = {"ref": {"type": "ref/prompt", "name": "look_at"}, "argument": {"name": "name", "value": "a"}}
    completion = answered(mcp, "completion/complete", **params)["result"]["completion"]

    assert completion["values"] == ["Acme anvil"]


def test_what_needs_no_scope_is_for_everybody(acme: World) -> None:
    async def nobody(connection: HTTPConnection, slug: str) -> Principal:
        return Principal("nobody", tenant_id=acme.id, slug=slug, locale="en", id="nobody")

    mcp = MCP("open", apps=[], authenticate=nobody)

    @mcp.resource("shelf://text", scope=None)
    def shelf_text() -> str:
        """The names of the products."""
        return "Names"

    @mcp.resource("shelf://secret", scope="shelf:read")
    def shelf_secret() -> str:
        """What a token is needed for."""
        return "Secret"

    assert contents(mcp, "shelf://text")[0]["text"] == "Names"
    assert "There is no resource" in answered(mcp, "resources/read", uri="shelf://secret")["error"]["message"]


@pytest.mark.parametrize("kind", ["resource", "prompt"])
def test_what_says_nothing_of_itself_is_refused_at_the_start(kind: str) -> None:
    declare: Any = own().resource("shelf://text", scope=None) if kind == "resource" else own().prompt(scope=None)

    with pytest.raises(ImproperlyConfigured, match=r"silent says nothing of itself: give it a docstring"):

        @declare
        def silent() -> str:
            return ""


@pytest.mark.parametrize("kind", ["resource", "prompt"])
def test_a_parameter_that_says_nothing_is_refused_at_the_start(kind: str) -> None:
    declare: Any = own().resource("shelf://{sku}", scope=None) if kind == "resource" else own().prompt(scope=None)

    with pytest.raises(ImproperlyConfigured, match=r'write sku: Annotated\[str, Argument\("What sku is."\)\]'):

        @declare
        def about(sku: str) -> str:
            """About a product."""
            return sku


def test_a_resource_takes_what_its_uri_has() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"about is the resource shelf://\{place\}: let it take place,"):

        @own().resource("shelf://{place}", scope=None)
        def about(sku: Sku) -> str:
            """About a product."""
            return sku


def test_outside_of_a_message_nobody_calls() -> None:
    with pytest.raises(LookupError):
        context.current_principal()
