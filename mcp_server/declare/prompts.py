"""`@prompt`: what makes a function a prompt of tenants, and the prompts there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

from mcp_types import PromptMessage

from mcp_server.declare.arguments import Argument, Words, arguments_of
from mcp_server.declare.registry import DECLARED, Spec

F = TypeVar("F", bound=Callable[..., str | list[PromptMessage]])


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """A prompt as it was declared."""

    function: Callable[..., str | list[PromptMessage]]
    name: str
    title: Words
    description: Words
    scope: str
    arguments: dict[str, Argument]

    kind: ClassVar[Literal["prompt"]] = "prompt"


def prompt(*, title: Words, description: Words, scope: str, declared: list[Spec] = DECLARED) -> Callable[[F], F]:
    """Offer a function at the tenants' URLs as an MCP prompt. It is a plain def, and runs in the tenant context.

    It returns what the person asks for as a text, or messages. Its parameters are texts, each Annotated with an
    Argument and with a default: a client may leave any out. `title` and `description` are translated when they are
    listed, so marked with gettext_lazy. `declared` is where it is kept; `MCP.prompt` has it of one server alone.
    """

    def declare(function: F) -> F:
        declared.append(PromptSpec(function, function.__name__, title, description, scope, arguments_of(function)))
        return function

    return declare
