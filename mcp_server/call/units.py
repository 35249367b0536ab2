"""What an answer's times and other quantities are in, said once in its text."""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import Annotated, Any, Self
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import BaseModel, PlainSerializer, computed_field, model_validator

from mcp_server import sentences

# Of values that have no parts.
PLAIN_TYPES = frozenset({str, int, float, bool, Decimal, datetime, date, UUID, NoneType})
# In the caller's time zone, with its offset from UTC.
Moment = Annotated[datetime, PlainSerializer(timezone.localtime, return_type=datetime)]


class Zoned:
    """Says which time zone its `time_zone` names."""

    def unit_note(self) -> str:
        return _("Times: {time_zone}.").format(time_zone=getattr(self, "time_zone"))  # noqa: B009


class Dated(Zoned, BaseModel):
    """Has times or days: those of the caller's time zone. Raises ZoneUnknown where that is none."""

    @model_validator(mode="after")
    def _in_a_zone(self) -> Self:
        timezone.localtime()
        return self

    @computed_field  # type: ignore[prop-decorator]  # pydantic wants it above a property
    @property
    def time_zone(self) -> str:
        return timezone.get_current_timezone_name()


def note(answer: object) -> str:
    """What `unit_note` of an answer, of its base classes and of its parts says, each once; '' where none has any."""
    return sentences.joined(dict.fromkeys(_notes(answer)))


def _notes(value: object) -> Iterator[str]:
    if isinstance(value, BaseModel):
        notes, names = _sayings(type(value))
        for each in notes:
            yield each(value)
        for name in names:
            yield from _notes(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from _notes(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _notes(each)


@functools.cache
def _sayings(kind: type[BaseModel]) -> tuple[list[Callable[[Any], str]], list[str]]:
    """What a class and its bases say, and the fields that may hold what says something."""
    # A class has one base for each kind of unit, and each says its own.
    notes = [vars(base)["unit_note"] for base in kind.__mro__ if "unit_note" in vars(base)]
    return notes, [name for name, field in kind.model_fields.items() if not _is_plain(field.annotation)]


def _is_plain(annotation: Any) -> bool:
    """Whether it is the type of one value that has no parts, or of several such."""
    kinds = typing.get_args(annotation) or [annotation]
    return all(isinstance(each, type) and each in PLAIN_TYPES for each in kinds)
