"""The arguments of resources and prompts: texts that a person types, with suggestions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from mcp.server.mcpserver import Context

from mcp_server.declare import mistakes, shapes
from mcp_server.declare.registry import place

# Marked with gettext_lazy, it is in the language of the moment when it is read.
Words = str | Promise

# Characters of a value.
MAX_ARGUMENT_LENGTH = 300

# Called in a worker with what was typed so far, and how many suggestions are wanted at most.
Completer = Callable[[str, int], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Argument:
    """Stands in the annotation of a parameter: `room: Annotated[str, Argument(_("A room's name."), rooms)]`.

    Of one that is secret, such as what is signed in a link, the trail of calls keeps nothing.
    """

    description: Words
    complete: Completer | None = None
    is_secret: bool = False


class Offered(Protocol):
    """What a client reads, and may ask suggestions for."""

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> str | None: ...

    @property
    def arguments(self) -> dict[str, Argument]: ...


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a function takes: the arguments, in the order of its parameters; which of them a client has to give; the
    name of what takes the SDK's Context.
    """

    arguments: dict[str, Argument]
    required: frozenset[str]
    context: str | None

    @classmethod
    def of(cls, function: Callable[..., Any], kind: str) -> Parameters:
        """Raises ImproperlyConfigured: it is no function, or has a parameter that no client could fill."""
        mistakes.refuse_kind(kind, function)
        hints, context = shapes.hints(function, kind), shapes.context_parameter(function, kind)
        own = {name: each for name, each in inspect.signature(function).parameters.items() if name != context}
        for parameter in own.values():
            mistakes.refuse_parameter(f"{kind} {function.__name__} ({place(function)})", parameter)
        required = frozenset(name for name, each in own.items() if each.default is inspect.Parameter.empty)
        return cls({name: _argument(function, name, hints.get(name)) for name in own}, required, context)

    def filled(self, arguments: dict[str, str], context: Context[Any, Any] | None) -> dict[str, Any]:
        """What the function is called with."""
        return {**arguments, self.context: context} if self.context else {**arguments}


def title_of(function: Callable[..., Any]) -> str:
    """The title of a function that was given none: "Open tickets" for open_tickets."""
    return function.__name__.replace("_", " ").strip().capitalize()


def description_of(function: Callable[..., Any]) -> str:
    """The docstring, a paragraph a line. Raises ImproperlyConfigured: there is none."""
    paragraphs = (" ".join(each.split()) for each in (function.__doc__ or "").split("\n\n"))
    text = "\n".join(paragraphs).strip()
    if not text:
        raise ImproperlyConfigured(
            f"{place(function)} says nothing of itself: give it a docstring, which clients show, or description="
        )
    return text


def _argument(function: Callable[..., Any], name: str, hint: Any) -> Argument:
    for each in getattr(hint, "__metadata__", ()):
        if isinstance(each, Argument):
            mistakes.refuse_completer(f"{place(function)}: that of its parameter {name}", each.complete)
            return each
    raise ImproperlyConfigured(
        f'{place(function)}: write {name}: Annotated[str, Argument("What {name} is.")] for its parameter {name}'
    )
