"""`@prompt`: what makes a function a prompt of tenants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

from mcp.server.mcpserver import Audio, Image, Message
from mcp_types import ContentBlock, PromptMessage

from mcp_server.declare.arguments import Argument, Parameters, Words, description_of, title_of
from mcp_server.declare.registry import DECLARED, Spec

# What a message of a prompt is made of: a text, and content, are what the person says.
Part: TypeAlias = str | ContentBlock | Image | Audio | Message | PromptMessage

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """A prompt as it was declared."""

    function: Callable[..., Any]
    name: str
    title: Words
    description: Words
    scope: str | None
    parameters: Parameters
    is_text_only: bool

    kind: ClassVar[Literal["prompt"]] = "prompt"

    @property
    def arguments(self) -> dict[str, Argument]:
        """What a client may give."""
        return self.parameters.arguments


def prompt(
    *,
    scope: str | None,
    title: Words = "",
    description: Words = "",
    text_only: bool = True,
    declared: list[Spec] = DECLARED,
) -> Callable[[F], F]:
    """Offer a function at the tenants' URLs as an MCP prompt. It runs in the tenant context.

    Its parameters are texts, each Annotated with an Argument; a client may leave out those that have a default. It
    returns a text, content of the protocol (`mcp_types`, or the SDK's Image and Audio), a message (PromptMessage, or
    the SDK's UserMessage and AssistantMessage), or a list of these. Where it asks first, it returns an
    InputRequiredResult: a parameter that is annotated with the SDK's Context has the answers.

    Args:
        scope: what a token needs; None for a prompt that holds no data.
        title, description: translated when they are listed, so marked with gettext_lazy. Without them they are the
            function's name and docstring.
        text_only: whether a link to a resource, and a text that is embedded as one, become plain text. Some clients
            take nothing else (langchain-mcp-adapters refuses the whole prompt).
        declared: where it is kept; `MCP.prompt` has it of one server alone.

    Raises ImproperlyConfigured: it has no description, or a parameter that no client could fill. The text names the
    line to write.
    """

    def declare(function: F) -> F:
        parameters = Parameters.of(function, "prompt")
        spec = PromptSpec(
            function=function,
            name=function.__name__,
            title=title or title_of(function),
            description=description or description_of(function),
            scope=scope,
            parameters=parameters,
            is_text_only=text_only,
        )
        declared.append(spec)
        return function

    return declare
