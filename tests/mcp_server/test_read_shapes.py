"""What a resource and a prompt may be beside a plain function with a text: async, asking first, of other content."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

import httpx2
import pytest
from mcp.server.mcpserver import AssistantMessage, Audio, Context, Image, UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    InputRequiredResult,
    ResourceLink,
    TextResourceContents,
)

from core.models import Product
from mcp_server import MCP, Argument, Refusal, anyone
from mcp_server.call import sizes
from rls import tenant_context
from tests.mcp_server.test_app import asked
from tests.support import raw
from tests.support.world import World

Sku = Annotated[str, Argument("The sku of a product.")]
PERSON = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}


def sure(context: Context[Any, Any]) -> InputRequiredResult | None:
    """A question; None where it is answered."""
    answer = (context.input_responses or {}).get("sure")
    if isinstance(answer, ElicitResult) and context.request_state == "asked":
        return None
    form = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}
    request = ElicitRequest(params=ElicitRequestFormParams(message="Sure?", requested_schema=form))
    return InputRequiredResult(input_requests={"sure": request}, request_state="asked")


@pytest.fixture
def mcp() -> MCP:
    """A server with resources and prompts of every kind."""
    mcp = MCP("shapes", apps=[], authenticate=anyone)

    @mcp.resource("shelf://later/{sku}", scope=None)
    async def later(sku: Sku) -> str:
        """A name, by the async ORM."""
        product = await Product.objects.filter(sku=sku).afirst()
        if product is None:
            raise Refusal(f"There is no {sku}.")
        return product.name

    @mcp.resource("shelf://write", scope=None)
    async def write() -> str:
        """Says that it reads."""
        return str(await Product.objects.aupdate(stock=0))

    @mcp.resource("shelf://asks/{sku}", scope=None)
    def asks(sku: Sku, context: Context[Any, Any]) -> str | InputRequiredResult:
        """Asks first."""
        return sure(context) or Product.objects.get(sku=sku).name

    @mcp.resource("shelf://who", scope=None)
    async def who(ctx: Context[Any, Any]) -> str:
        """Who asks."""
        return str(ctx.protocol_version)

    @mcp.resource("shelf://none", scope=None)
    def none() -> str:
        """Raises an error of the protocol."""
        raise MCPError(-32042, "Later.")

    @mcp.prompt(scope=None)
    def lazy() -> str:
        """Is a text that is made of rows."""
        return ", ".join(Product.objects.values_list("name", flat=True))

    @mcp.prompt(scope=None)
    async def ask_later(sku: Sku, context: Context[Any, Any]) -> str | InputRequiredResult:
        """Asks first."""
        return sure(context) or (await Product.objects.aget(sku=sku)).name

    @mcp.prompt(scope=None)
    def spoken() -> list[Any]:
        """Is said by two, and shown."""
        return [
            UserMessage("Hello."),
            AssistantMessage(Image(data=b"png", format="png")),
            Audio(data=b"wav", format="wav"),
        ]

    def linked() -> tuple[Any, ...]:
        """Links and brings along."""
        note = TextResourceContents(uri="note://1", text="茶" * 30_000)
        return ResourceLink(uri="product://A-1", name="product"), EmbeddedResource(resource=note)

    mcp.prompt(scope=None)(linked)
    linked.__name__ = "linked_as_they_are"
    mcp.prompt(scope=None, text_only=False)(linked)
    return mcp


def answered(mcp: MCP, method: str, **params: Any) -> Any:
    """The body of the answer at acme's URL, in the newest protocol, to a client that can ask a person."""
    message = raw.message(method, params, raw.MODERN)
    message["params"]["_meta"] = message["params"]["_meta"] | PERSON
    headers = raw.headers("", raw.MODERN, method, params.get("name", params.get("uri"))) | {"Accept": raw.BOTH}

    async def story(client: httpx2.AsyncClient) -> Any:
        return (await client.post("/mcp/acme/", json=message, headers=headers)).json()

    return asked(mcp.asgi(), story)


def text(mcp: MCP, uri: str, **params: Any) -> str:
    """The text of a resource."""
    [content] = answered(mcp, "resources/read", uri=uri, **params)["result"]["contents"]
    return str(content["text"])


def messages(mcp: MCP, name: str, **params: Any) -> list[tuple[str, dict[str, Any]]]:
    """The messages of a prompt: who says what."""
    found = answered(mcp, "prompts/get", name=name, **params)["result"]["messages"]
    return [(each["role"], each["content"]) for each in found]


def test_a_resource_may_be_async(acme: World, globex: World, mcp: MCP) -> None:
    assert text(mcp, "shelf://later/A-1") == "Acme anvil"
    assert text(mcp, "shelf://who") == raw.MODERN
    error = answered(mcp, "resources/read", uri="shelf://later/B-2")["error"]
    assert (error["message"], error["data"]) == ("There is no B-2.", {"uri": "shelf://later/B-2"})


def test_an_async_one_may_not_write_either(acme: World, mcp: MCP) -> None:
    error = answered(mcp, "resources/read", uri="shelf://write")["error"]

    assert error["message"].startswith("write may only read, but tried to write.")
    with tenant_context(acme.id):
        assert Product.objects.get().stock == 5


def test_an_error_of_the_protocol_keeps_its_code(acme: World, mcp: MCP) -> None:
    assert answered(mcp, "resources/read", uri="shelf://none")["error"]["code"] == -32042


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resources/read", {"uri": "shelf://asks/A-1"}),
        ("prompts/get", {"name": "ask_later", "arguments": {"sku": "A-1"}}),
    ],
)
def test_a_question_is_answered_in_the_next_round_and_by_nothing_else(
    method: str, params: dict[str, Any], acme: World, mcp: MCP, caplog: pytest.LogCaptureFixture
) -> None:
    responses = {"sure": {"action": "accept", "content": {"sure": True}}}
    with caplog.at_level("INFO", "mcp_server.call.calls"):
        first = answered(mcp, method, **params)["result"]
        second = answered(mcp, method, **params, inputResponses=responses, requestState=first["requestState"])
    forged = answered(mcp, method, **params, inputResponses=responses, requestState="asked")

    assert first["resultType"] == "input_required"
    assert first["inputRequests"]["sure"]["params"]["message"] == "Sure?"
    assert "Acme anvil" in json.dumps(second["result"])
    outcomes = [vars(record)["outcome"] for record in caplog.records if record.name == "mcp_server.call.calls"]
    assert outcomes == ["asked", "ok"]
    assert forged["error"]["code"] == INVALID_PARAMS


def test_a_prompt_is_of_its_tenant(acme: World, globex: World, mcp: MCP) -> None:
    [(role, content)] = messages(mcp, "lazy")

    assert (role, content) == ("user", {"type": "text", "text": "Acme anvil"})


def test_a_prompt_is_said_by_two_and_shown(acme: World, mcp: MCP) -> None:
    first, second, third = messages(mcp, "spoken")

    assert first == ("user", {"type": "text", "text": "Hello."})
    assert second == (
        "assistant",
        {"type": "image", "data": base64.b64encode(b"png").decode(), "mimeType": "image/png"},
    )
    assert third[1]["type"] == "audio"


def test_links_and_what_is_embedded_are_text_where_nothing_else_is_said(acme: World, mcp: MCP) -> None:
    plain = messages(mcp, "linked")
    [(_, link), (_, embedded)] = messages(mcp, "linked_as_they_are")

    assert [content["type"] for _, content in plain] == ["text", "text"]
    assert (link["type"], link["uri"]) == ("resource_link", "product://A-1")
    assert (embedded["type"], embedded["resource"]["uri"]) == ("resource", "note://1")


def test_what_is_embedded_is_not_too_long_either(acme: World, mcp: MCP) -> None:
    [_, (_, embedded)] = messages(mcp, "linked_as_they_are")

    assert sizes.tokens(embedded["resource"]["text"]) <= sizes.MAX_TOKENS
