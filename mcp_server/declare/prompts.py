"""`@prompt`: what makes a function a prompt of tenants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

from mcp_types import PromptMessage

from mcp_server.declare.arguments import Argument, Words, arguments_of, description_of, required_of, title_of
from mcp_server.declare.registry import DECLARED, Spec

# What the function of a prompt returns: a text is what the person says.
Request: TypeAlias = "str | PromptMessage | list[str | PromptMessage] | list[str] | list[PromptMessage]"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """A prompt as it was declared."""

    function: Callable[..., Request]
    name: str
    title: Words
    description: Words
    scope: str | None
    arguments: dict[str, Argument]
    required: frozenset[str]

    kind: ClassVar[Literal["prompt"]] = "prompt"


def prompt(
    *, scope: str | None, title: Words = "", description: Words = "", declared: list[Spec] = DECLARED
) -> Callable[[F], F]:
    """Offer a function at the tenants' URLs as an MCP prompt. It is a plain def, and runs in the tenant context.

    Its parameters are texts, each Annotated with an Argument; a client may leave out those that have a default. It
    returns a text, a PromptMessage, or a list of these.

    Args:
        scope: what a token needs; None for a prompt that holds no data.
        title, description: translated when they are listed, so marked with gettext_lazy. Without them they are the
            function's name and docstring.
        declared: where it is kept; `MCP.prompt` has it of one server alone.

    Raises ImproperlyConfigured: there is no description, or a parameter has no Argument.
    """

    def declare(function: F) -> F:
        spec = PromptSpec(
            function=function,
            name=function.__name__,
            title=title or title_of(function),
            description=description or description_of(function),
            scope=scope,
            arguments=arguments_of(function),
            required=required_of(function),
        )
        declared.append(spec)
        return function

    return declare
