"""What the official conformance suite asks a server for by name, said with the documented names of `mcp_server`.

The scenarios are those of `@modelcontextprotocol/conformance`; `python -m tests.conformance` runs them.
"""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Literal, TypedDict

import anyio
from mcp.server.mcpserver import Audio, Context, Image
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    InputRequests,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel, Field

from core.models import Product
from mcp_server import MCP, Argument, Refusal, by_token, report_message, report_progress

# One red pixel, and one sample of silence.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
WAV = base64.b64decode("UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA==")
SOON = 0.05

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
# All five kinds of choices (SEP-1330), the deprecated one too.
CHOICES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {
            "type": "string",
            "oneOf": [
                {"const": "value1", "title": "First Option"},
                {"const": "value2", "title": "Second Option"},
                {"const": "value3", "title": "Third Option"},
            ],
        },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {
            "type": "array",
            "items": {
                "anyOf": [
                    {"const": "value1", "title": "First Choice"},
                    {"const": "value2", "title": "Second Choice"},
                    {"const": "value3", "title": "Third Choice"},
                ]
            },
        },
    },
}

mcp = MCP("conformance", version="1.0", apps=[], authenticate=by_token)


class Person(BaseModel):
    """Who answers."""

    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Profile(BaseModel):
    """A form that is filled in already."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


class Found(TypedDict):
    """What a template holds."""

    id: str
    templateTest: bool
    data: str


def form(message: str, **properties: str) -> ElicitRequest:
    """A form with these fields, each of a type of JSON."""
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(text: str, *, max_tokens: int = 100) -> CreateMessageRequest:
    """A question to the client's model."""
    said = SamplingMessage(role="user", content=TextContent(text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[said], max_tokens=max_tokens))


def filled_in(context: Context, name: str, field: str) -> str | None:
    """The field of the form of this name, where the person has filled it in."""
    answer = (context.input_responses or {}).get(name)
    if not isinstance(answer, ElicitResult) or answer.action != "accept":
        return None
    return str((answer.content or {}).get(field, ""))


@mcp.tool(scope=None, read_only=True)
def test_simple_text() -> str:
    """Says a text."""
    return "This is a simple text response for testing."


@mcp.tool(scope=None, read_only=True)
def test_image_content() -> Image:
    """Shows an image."""
    return Image(data=PNG, format="png")


@mcp.tool(scope=None, read_only=True)
def test_audio_content() -> Audio:
    """Plays a sound."""
    return Audio(data=WAV, format="wav")


@mcp.tool(scope=None, read_only=True)
def test_embedded_resource() -> EmbeddedResource:
    """Brings a resource along."""
    return embedded("test://embedded-resource", "This is an embedded resource content.")


@mcp.tool(scope=None, read_only=True)
def test_multiple_content_types() -> list[str | Image | EmbeddedResource]:
    """Says a text, shows an image, and brings a resource along."""
    data = json.dumps({"test": "data", "value": 123})
    return [
        "Multiple content types test:",
        Image(data=PNG, format="png"),
        embedded("test://mixed-content-resource", data, "application/json"),
    ]


@mcp.tool(scope=None, read_only=True)
async def test_tool_with_logging() -> str:
    """Tells the client what it does."""
    report_message("Tool execution started")
    await anyio.sleep(SOON)
    report_message("Tool processing data")
    await anyio.sleep(SOON)
    report_message("Tool execution completed")
    return "It was logged."


@mcp.tool(scope=None, read_only=True)
async def test_logging_tool(context: Context) -> str:
    """Tells the client something, where it asked for that."""
    await context.info("A message of the log")
    return "It was logged."


@mcp.tool(scope=None, read_only=True)
def test_error_handling() -> str:
    """Refuses."""
    raise Refusal("This tool intentionally returns an error for testing")


@mcp.tool(scope=None, read_only=True)
async def test_tool_with_progress() -> str:
    """Says how far it is."""
    report_progress(0, 100)
    await anyio.sleep(SOON)
    report_progress(50, 100)
    await anyio.sleep(SOON)
    report_progress(100, 100)
    return "All of it is done."


@mcp.tool(scope=None, read_only=True)
async def test_sampling(prompt: str, context: Context) -> str:
    """Asks the client's model."""
    said = SamplingMessage(role="user", content=TextContent(text=prompt))
    result = await context.session.create_message(
        messages=[said], max_tokens=100, related_request_id=context.request_id
    )
    return f"LLM response: {text_of(result)}"


@mcp.tool(scope=None, read_only=True)
async def test_elicitation(message: str, context: Context) -> str:
    """Asks the person who they are."""
    answer = await context.elicit(message, Person)
    content = answer.data.model_dump() if answer.action == "accept" else None
    return f"User response: action={answer.action}, content={json.dumps(content)}"


@mcp.tool(scope=None, read_only=True)
async def test_elicitation_sep1034_defaults(context: Context) -> str:
    """Asks with a form that is filled in already."""
    answer = await context.elicit("Is this right?", Profile)
    content = answer.data.model_dump() if answer.action == "accept" else None
    return f"Elicitation completed: action={answer.action}, content={json.dumps(content)}"


@mcp.tool(scope=None, read_only=True)
async def test_elicitation_sep1330_enums(context: Context) -> str:
    """Asks with a form of choices, whose schema is written by hand."""
    answer = await context.session.elicit_form("Which?", CHOICES, related_request_id=context.request_id)
    return f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}"


@mcp.tool(scope=None, read_only=True)
def test_missing_capability(context: Context) -> str:
    """Needs a client that has a model."""
    if context.client_capabilities is None or context.client_capabilities.sampling is None:
        data = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool asks the client's model.", data)
    return "The client has a model."


@mcp.tool(scope=None, read_only=True)
def test_streaming_elicitation(context: Context) -> str | InputRequiredResult:
    """Asks a person, as the result of a round."""
    if (sure := filled_in(context, "sure", "sure")) is None:
        return InputRequiredResult(input_requests={"sure": form("Sure?", sure="boolean")})
    return f"Sure: {sure}"


@mcp.tool(scope=None, read_only=True)
def test_custom_headers(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})], query: str = ""
) -> str:
    """Takes an argument that gateways see in a header."""
    return f"{query} in {region}"


@mcp.tool(scope=None, read_only=True)
def test_input_required_result_elicitation(context: Context) -> str | InputRequiredResult:
    """Asks for a name."""
    if (name := filled_in(context, "user_name", "name")) is None:
        return InputRequiredResult(input_requests={"user_name": form("What is your name?", name="string")})
    return f"Hello, {name}!"


@mcp.tool(scope=None, read_only=True)
def test_input_required_result_sampling(context: Context) -> str | InputRequiredResult:
    """Asks the client's model."""
    answer = (context.input_responses or {}).get("capital_question")
    if not isinstance(answer, CreateMessageResult):
        return InputRequiredResult(input_requests={"capital_question": sample("What is the capital of France?")})
    return text_of(answer)


@mcp.tool(scope=None, read_only=True)
def test_input_required_result_list_roots(context: Context) -> str | InputRequiredResult:
    """Asks where the client works."""
    answer = (context.input_responses or {}).get("client_roots")
    if not isinstance(answer, ListRootsResult):
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
    return ", ".join(str(root.uri) for root in answer.roots)


@mcp.tool(scope=None, read_only=True)
def test_input_required_result_request_state(context: Context) -> str | InputRequiredResult:
    """Asks, and remembers that it has."""
    if context.request_state != "asked" or (ok := filled_in(context, "confirm", "ok")) is None:
        return InputRequiredResult(
            input_requests={"confirm": form("Please confirm", ok="boolean")}, request_state="asked"
        )
    return f"state-ok, and the answer is {ok}"


@mcp.tool(scope=None, read_only=True)
def test_input_required_result_multiple_inputs(context: Context) -> str | InputRequiredResult:
    """Asks the person, the model, and where the client works, at once."""
    asked: InputRequests = {
        "user_name": form("What is your name?", name="string"),
        "greeting": sample("Generate a greeting", max_tokens=50),
        "client_roots": ListRootsRequest(),
    }
    answers = context.input_responses or {}
    if context.request_state != "asked" or not asked.keys() <= answers.keys():
        return InputRequiredResult(input_requests=asked, request_state="asked")
    return f"Hello, {filled_in(context, 'user_name', 'name')}!"


@mcp.tool(scope=None, read_only=True)
def test_input_required_result_multi_round(context: Context) -> str | InputRequiredResult:
    """Asks twice."""
    known = json.loads(context.request_state or "{}")
    if "name" not in known:
        if context.request_state is None or (name := filled_in(context, "step1", "name")) is None:
            return InputRequiredResult(
                input_requests={"step1": form("Step 1: What is your name?", name="string")}, request_state="{}"
            )
        known = {"name": name}
    if (color := filled_in(context, "step2", "color")) is None:
        return InputRequiredResult(
            input_requests={"step2": form("Step 2: What is your favorite color?", color="string")},
            request_state=json.dumps(known),
        )
    return f"{known['name']} likes {color}."


@mcp.tool(scope=None, read_only=True)
def test_input_required_result_tampered_state(context: Context) -> str | InputRequiredResult:
    """Asks, and trusts its state: it comes back sealed."""
    return test_input_required_result_request_state(context)


@mcp.tool(scope=None, read_only=True)
def test_input_required_result_capabilities(context: Context) -> str | InputRequiredResult:
    """Asks whom the client can ask."""
    can = context.client_capabilities
    asked: InputRequests = {}
    if can is not None and can.elicitation is not None:
        asked["user_name"] = form("What is your name?", name="string")
    if can is not None and can.sampling is not None:
        asked["capital_question"] = sample("What is the capital of France?")
    if not asked or context.input_responses:
        return "There is nobody left to ask."
    return InputRequiredResult(input_requests=asked)


@mcp.resource("test://static-text", scope=None)
def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


@mcp.resource("test://static-binary", scope=None, mime_type="image/png")
def static_binary() -> bytes:
    """An image."""
    return PNG


@mcp.resource("test://watched-resource", scope=None, rows=lambda: [(Product._meta.db_table, None)])
def watched_resource() -> str:
    """A text that may change."""
    return "This is watched."


@mcp.resource("test://template/{id}/data", scope=None)
def template(id: Annotated[str, Argument("Which one.")]) -> Found:
    """Data of one of many."""
    return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


@mcp.prompt(scope=None)
def test_simple_prompt() -> str:
    """Says a text."""
    return "This is a simple prompt for testing."


@mcp.prompt(scope=None)
def test_prompt_with_arguments(
    arg1: Annotated[str, Argument("First test argument", lambda typed, most: [f"{typed}is", f"{typed}k"])],
    arg2: Annotated[str, Argument("Second test argument")],
) -> str:
    """Says what it is given."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@mcp.prompt(scope=None, text_only=False)
def test_prompt_with_embedded_resource(
    resourceUri: Annotated[str, Argument("URI of the resource to embed")],
) -> list[EmbeddedResource | str]:
    """Brings a resource along."""
    return [
        embedded(resourceUri, "Embedded resource content for testing."),
        "Please process the embedded resource above.",
    ]


@mcp.prompt(scope=None)
def test_prompt_with_image() -> list[Image | str]:
    """Shows an image."""
    return [Image(data=PNG, format="png"), "Please analyze the image above."]


@mcp.prompt(scope=None)
def test_input_required_result_prompt(context: Context) -> str | InputRequiredResult:
    """Asks for a context first."""
    if (said := filled_in(context, "user_context", "context")) is None:
        return InputRequiredResult(
            input_requests={"user_context": form("What context should the prompt use?", context="string")}
        )
    return f"Work with this: {said}"


@mcp.tool(scope=None, read_only=True, input_schema=SCHEMA)
def json_schema_2020_12_tool(
    name: str = "",
    address: dict[str, Any] | None = None,
    contactMethod: str = "",
    phone: str = "",
    email: str = "",
) -> str:
    """Tool with JSON Schema 2020-12 features"""
    return f"{name}: {phone or email}"


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    """A resource that stands in an answer."""
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


def text_of(result: CreateMessageResult) -> str:
    """What the client's model said."""
    return result.content.text if isinstance(result.content, TextContent) else ""
