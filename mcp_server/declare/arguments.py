"""The arguments of resources and prompts: texts that a person types, with suggestions."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils.functional import Promise

# Marked with gettext_lazy, it is in the language of the moment when it is read.
Words = str | Promise

# Characters of a value: no name, category or e-mail address of ours has more.
MAX_ARGUMENT_LENGTH = 300

# Called in a worker with what was typed so far, and how many suggestions are wanted at most.
Completer = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True)
class Argument:
    """Stands in the annotation of a parameter: `room: Annotated[str, Argument(_("A room's name."), rooms)]`."""

    description: Words
    complete: Completer | None = None


class Offered(Protocol):
    """What a client reads, and may ask suggestions for."""

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> str | None: ...

    @property
    def arguments(self) -> dict[str, Argument]: ...


def arguments_of(function: Callable[..., Any]) -> dict[str, Argument]:
    """The arguments of a function, by name, in the order of its parameters.

    Raises TypeError for a parameter without an Argument.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    hints.pop("return", None)
    return {name: _argument(function, name, hint) for name, hint in hints.items()}


def _argument(function: Callable[..., Any], name: str, hint: Any) -> Argument:
    for each in getattr(hint, "__metadata__", ()):
        if isinstance(each, Argument):
            return each
    raise TypeError(f"{function.__qualname__}: annotate {name} as Annotated[str, Argument(...)]")
