"""The fixtures of the official suite through the official client, in both eras: what its scenarios look for."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    EmbeddedResource,
    ImageContent,
    ListRootsResult,
    LoggingMessageNotificationParams,
    PromptReference,
    ResourceTemplateReference,
    Root,
    TextContent,
)

from tests.conformance.fixtures import CHOICES, PNG, SCHEMA, WAV
from tests.support.processes import ERAS, Era, Process, connected, serving
from tests.support.world import World

pytestmark = pytest.mark.slow

Story = Callable[[Client], Awaitable[Any]]
FIELDS = {
    "name": "Alice",
    "color": "blue",
    "ok": True,
    "sure": True,
    "context": "a garden",
    "username": "alice",
    "email": "alice@acme.example",
}


@pytest.fixture(scope="module")
def fixtures(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server with what the suite asks for, and with sessions: in older protocols it asks in the middle of a call."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(log, app="tests.conformance.asgi:application", MCP_SESSIONS="stateful") as process:
        yield process


class Person:
    """A client that fills in forms, has a model, and works somewhere; it keeps what it was asked and told."""

    def __init__(self) -> None:
        self.forms: list[ElicitRequestFormParams] = []
        self.logged: list[object] = []

    async def fill_in(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        self.forms.append(params)
        properties = params.requested_schema["properties"]
        return ElicitResult(
            action="accept",
            content={name: FIELDS[name] for name in properties if name in FIELDS and len(properties) < 5},
        )

    async def say(self, context: ClientRequestContext, params: CreateMessageRequestParams) -> CreateMessageResult:
        return CreateMessageResult(role="assistant", content=TextContent(text="Paris"), model="tests")

    async def roots(self, context: ClientRequestContext) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri="file:///work")])

    async def log(self, params: LoggingMessageNotificationParams) -> None:
        self.logged.append(params.data)

    @property
    def options(self) -> dict[str, Any]:
        """What the client does."""
        return {
            "elicitation_callback": self.fill_in,
            "sampling_callback": self.say,
            "list_roots_callback": self.roots,
            "logging_callback": self.log,
        }


def at(server: Process, world: World, story: Story, era: Era = "2026-07-28", **options: Any) -> Any:
    """What a story finds out at a tenant's URL, with its token."""

    async def run() -> Any:
        async with connected(server.mcp(world.subdomain), world.token, era, **options) as client:
            return await story(client)

    return asyncio.run(run())


def content(server: Process, world: World, name: str, era: Era = "2026-07-28", **arguments: Any) -> list[Any]:
    """The content of a tool's answer."""
    result = at(server, world, lambda client: client.call_tool(name, arguments), era)
    assert not result.is_error
    found: list[Any] = result.content
    return found


@pytest.mark.parametrize("era", ERAS)
def test_a_tool_says_shows_plays_and_brings_along(era: Era, acme: World, fixtures: Process) -> None:
    [text] = content(fixtures, acme, "test_simple_text", era)
    [image] = content(fixtures, acme, "test_image_content", era)
    [audio] = content(fixtures, acme, "test_audio_content", era)
    [embedded] = content(fixtures, acme, "test_embedded_resource", era)
    mixed = content(fixtures, acme, "test_multiple_content_types", era)

    assert text.text == "This is a simple text response for testing."
    assert (image.mime_type, base64.b64decode(image.data)) == ("image/png", PNG)
    assert (audio.mime_type, base64.b64decode(audio.data)) == ("audio/wav", WAV)
    assert (embedded.resource.mime_type, str(embedded.resource.uri)) == ("text/plain", "test://embedded-resource")
    assert [type(each) for each in mixed] == [TextContent, ImageContent, EmbeddedResource]
    assert isinstance(audio, AudioContent)
    assert json.loads(mixed[2].resource.text) == {"test": "data", "value": 123}


@pytest.mark.parametrize("era", ERAS)
def test_a_tool_refuses_in_its_words(era: Era, acme: World, fixtures: Process) -> None:
    result = at(fixtures, acme, lambda client: client.call_tool("test_error_handling", {}), era)

    assert result.is_error
    assert result.content[0].text == "This tool intentionally returns an error for testing"


@pytest.mark.parametrize("era", ERAS)
def test_a_tool_says_how_far_it_is(era: Era, acme: World, fixtures: Process) -> None:
    heard: list[tuple[float, float | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total))

    at(
        fixtures,
        acme,
        lambda client: client.call_tool("test_tool_with_progress", {}, progress_callback=hear),
        era,
    )

    assert heard == [(0, 100), (50, 100), (100, 100)]


def test_a_tool_tells_older_clients_what_it_does(acme: World, fixtures: Process) -> None:
    person = Person()

    at(fixtures, acme, lambda client: client.call_tool("test_tool_with_logging", {}), "legacy", **person.options)

    assert person.logged == ["Tool execution started", "Tool processing data", "Tool execution completed"]


def test_a_client_that_did_not_ask_for_the_log_is_told_nothing(acme: World, fixtures: Process) -> None:
    person = Person()

    at(fixtures, acme, lambda client: client.call_tool("test_logging_tool", {}), **person.options)

    assert person.logged == []


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("test_sampling", {"prompt": "Which?"}, "LLM response: Paris"),
        ("test_elicitation", {"message": "Who?"}, "User response: action=accept"),
        ("test_elicitation_sep1034_defaults", {}, "Elicitation completed: action=accept"),
        ("test_elicitation_sep1330_enums", {}, "Elicitation completed: action=accept"),
    ],
)
def test_in_older_protocols_a_tool_asks_in_the_middle(
    name: str, arguments: dict[str, Any], words: str, acme: World, fixtures: Process
) -> None:
    person = Person()

    result = at(fixtures, acme, lambda client: client.call_tool(name, arguments), "legacy", **person.options)

    assert result.content[0].text.startswith(words)


def test_a_form_has_the_defaults_and_the_choices_that_were_declared(acme: World, fixtures: Process) -> None:
    person = Person()

    async def story(client: Client) -> None:
        await client.call_tool("test_elicitation_sep1034_defaults", {})
        await client.call_tool("test_elicitation_sep1330_enums", {})

    at(fixtures, acme, story, "legacy", **person.options)

    filled, choices = (each.requested_schema for each in person.forms)
    defaults = {name: each["default"] for name, each in filled["properties"].items()}
    assert defaults == {"name": "John Doe", "age": 30, "score": 95.5, "status": "active", "verified": True}
    assert filled["properties"]["status"]["enum"] == ["active", "inactive", "pending"]
    assert choices["properties"] == CHOICES["properties"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test_input_required_result_elicitation", "Hello, Alice!"),
        ("test_input_required_result_sampling", "Paris"),
        ("test_input_required_result_list_roots", "file:///work"),
        ("test_input_required_result_request_state", "state-ok, and the answer is True"),
        ("test_input_required_result_multiple_inputs", "Hello, Alice!"),
        ("test_input_required_result_multi_round", "Alice likes blue."),
        ("test_input_required_result_tampered_state", "state-ok, and the answer is True"),
        ("test_streaming_elicitation", "Sure: True"),
    ],
)
def test_a_tool_asks_by_rounds(name: str, words: str, acme: World, fixtures: Process) -> None:
    result = at(fixtures, acme, lambda client: client.call_tool(name, {}), **Person().options)

    assert result.content[0].text == words


def test_a_prompt_asks_by_rounds(acme: World, fixtures: Process) -> None:
    async def story(client: Client) -> Any:
        return await client.get_prompt("test_input_required_result_prompt")

    result = at(fixtures, acme, story, **Person().options)

    assert result.messages[0].content.text == "Work with this: a garden"


def test_a_tool_may_need_what_the_client_can_not(acme: World, fixtures: Process) -> None:
    async def story(client: Client) -> MCPError:
        with pytest.raises(MCPError) as refusal:
            await client.call_tool("test_missing_capability", {})
        return refusal.value

    error = at(fixtures, acme, story)

    assert error.code == MISSING_REQUIRED_CLIENT_CAPABILITY
    assert error.data == {"requiredCapabilities": {"sampling": {}}}


@pytest.mark.parametrize("era", ERAS)
def test_a_schema_by_hand_is_published_as_it_is(era: Era, acme: World, fixtures: Process) -> None:
    tools = at(fixtures, acme, lambda client: client.list_tools(), era).tools

    published = {tool.name: tool.input_schema for tool in tools}
    assert published["json_schema_2020_12_tool"] == SCHEMA
    assert published["test_custom_headers"]["properties"]["region"]["x-mcp-header"] == "Region"
    assert all(tool.description for tool in tools)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "Ada", "contactMethod": "phone", "phone": "1"}, "Ada: 1"),
        ({"contactMethod": "phone", "email": "a@b"}, 'arguments: Input should fit {"required": ["phone"]}'),
        ({"contactMethod": "pigeon", "email": "a@b"}, 'contactMethod: Input should fit {"enum": '),
        ({"email": "a@b", "address": {"street": 1}}, 'address.street: Input should fit {"type": "string"}'),
        ({"email": "a@b", "fax": "1"}, "does not take 'fax'"),
    ],
)
def test_a_schema_by_hand_is_kept(arguments: dict[str, Any], words: str, acme: World, fixtures: Process) -> None:
    result = at(fixtures, acme, lambda client: client.call_tool("json_schema_2020_12_tool", arguments))

    assert words in result.content[0].text


@pytest.mark.parametrize("era", ERAS)
def test_resources_are_texts_bytes_and_templates(era: Era, acme: World, fixtures: Process) -> None:
    async def story(client: Client) -> list[Any]:
        uris = ["test://static-text", "test://static-binary", "test://template/123/data"]
        return [(await client.read_resource(uri)).contents[0] for uri in uris]

    text, binary, template = at(fixtures, acme, story, era)

    assert (text.mime_type, text.text) == ("text/plain", "This is the content of the static text resource.")
    assert (binary.mime_type, base64.b64decode(binary.blob)) == ("image/png", PNG)
    assert json.loads(template.text) == {"id": "123", "templateTest": True, "data": "Data for ID: 123"}
    assert (template.mime_type, str(template.uri)) == ("application/json", "test://template/123/data")


@pytest.mark.parametrize("era", ERAS)
def test_prompts_say_what_they_are_given_show_and_bring_along(era: Era, acme: World, fixtures: Process) -> None:
    async def story(client: Client) -> list[Any]:
        return [
            (await client.get_prompt("test_simple_prompt")).messages,
            (await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})).messages,
            (await client.get_prompt("test_prompt_with_embedded_resource", {"resourceUri": "test://x"})).messages,
            (await client.get_prompt("test_prompt_with_image")).messages,
        ]

    simple, given, embedded, image = (
        [each.content for each in messages] for messages in at(fixtures, acme, story, era)
    )

    assert [each.text for each in simple] == ["This is a simple prompt for testing."]
    assert [each.text for each in given] == ["Prompt with arguments: arg1='a', arg2='b'"]
    assert (str(embedded[0].resource.uri), embedded[0].resource.mime_type) == ("test://x", "text/plain")
    assert embedded[1].text == "Please process the embedded resource above."
    assert (image[0].mime_type, base64.b64decode(image[0].data)) == ("image/png", PNG)


@pytest.mark.parametrize("era", ERAS)
def test_arguments_are_completed(era: Era, acme: World, fixtures: Process) -> None:
    prompt = PromptReference(name="test_prompt_with_arguments")
    template = ResourceTemplateReference(uri="test://template/{id}/data")

    async def story(client: Client) -> list[Any]:
        return [
            (await client.complete(prompt, {"name": "arg1", "value": "par"})).completion.values,
            (await client.complete(template, {"name": "id", "value": "1"})).completion.values,
        ]

    assert at(fixtures, acme, story, era) == [["paris", "park"], []]
