"""What an answer's times and other quantities are in, said once in its text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Self, Union, get_args, get_origin

from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import BaseModel, PlainSerializer, computed_field, model_validator

from mcp_server import sentences

# In the caller's time zone, with its offset from UTC.
Moment = Annotated[datetime, PlainSerializer(timezone.localtime, return_type=datetime)]

# Values in which there is nothing else, and so no other answer's note.
PLAIN = (str, int, float, Decimal, date, Enum, NoneType)


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
        notes, fields = _kinds_of(type(value))
        for each in notes:
            yield each(value)
        for name in fields:
            yield from _notes(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from _notes(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _notes(each)


@cache
def _kinds_of(model: type[BaseModel]) -> tuple[list[Callable[[object], str]], list[str]]:
    """The `unit_note` of each of its base classes that has one, and the fields in which there may be more of them."""
    notes = [vars(base)["unit_note"] for base in model.__mro__ if "unit_note" in vars(base)]
    return notes, [name for name, field in model.model_fields.items() if not _is_plain(field.annotation)]


def _is_plain(annotation: object) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return all(map(_is_plain, get_args(annotation)))
    return isinstance(annotation, type) and issubclass(annotation, PLAIN)
