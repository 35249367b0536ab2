"""`@prompt`: what makes a function a prompt of tenants, and the prompts there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from django.core.exceptions import ImproperlyConfigured
from mcp_types import PromptMessage

from mcp_server.declare.arguments import Argument, Words, arguments_of

F = TypeVar("F", bound=Callable[..., list[PromptMessage]])


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """A prompt as it was declared."""

    function: Callable[..., list[PromptMessage]]
    name: str
    title: Words
    description: Words
    scope: str
    arguments: dict[str, Argument]

    kind: ClassVar[str] = "prompt"


_prompts: dict[str, PromptSpec] = {}


def prompt(*, title: Words, description: Words, scope: str) -> Callable[[F], F]:
    """Offer a function at the tenants' URLs as an MCP prompt. It is a plain def, and runs in the tenant context.

    Its parameters are texts, each Annotated with an Argument and with a default: a client may leave any out. `title`
    and `description` are translated when they are listed, so marked with gettext_lazy.

    Raises ImproperlyConfigured: two functions have one name.
    """

    def declare(function: F) -> F:
        name = function.__name__
        spec = PromptSpec(function, name, title, description, scope, arguments_of(function))
        if _prompts.setdefault(name, spec).function is not function:
            raise ImproperlyConfigured(f"two prompts are named {name}; rename one")
        return function

    return declare


def prompts() -> dict[str, PromptSpec]:
    """Every prompt, by name, in the order of their names."""
    return dict(sorted(_prompts.items()))
