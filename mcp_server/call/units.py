"""What an answer's times and other quantities are in, said once in its text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin

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

    unit_field: ClassVar[str] = "time_zone"

    @staticmethod
    def unit_note(time_zone: str) -> str:
        return _("Times: {time_zone}.").format(time_zone=time_zone)


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
    """What an answer, its base classes and its parts are in, each once; '' where nothing is said of it.

    A class says it with `unit_note`, a function of the value of the field that `unit_field` names.
    """
    units: dict[tuple[Callable[[Any], str], Any], None] = {}
    _gather(answer, units)
    return sentences.joined(dict.fromkeys(say(unit) for say, unit in units))


def _gather(value: object, units: dict[tuple[Callable[[Any], str], Any], None]) -> None:
    if isinstance(value, BaseModel):
        notes, fields = _kinds_of(type(value))
        for say, field in notes:
            units[say, getattr(value, field)] = None
        for name in fields:
            _gather(getattr(value, name), units)
    elif isinstance(value, list | tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            _gather(each, units)


@cache
def _kinds_of(model: type[BaseModel]) -> tuple[list[tuple[Callable[[Any], str], str]], list[str]]:
    """The `unit_note` of each of its base classes that has one, with its field, and the fields in which there may be
    more of them.
    """
    bases: list[Any] = [base for base in model.__mro__ if "unit_note" in vars(base)]
    notes = [(base.unit_note, base.unit_field) for base in bases]
    return notes, [name for name, field in model.model_fields.items() if not _is_plain(field.annotation)]


def _is_plain(annotation: object) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return all(map(_is_plain, get_args(annotation)))
    return isinstance(annotation, type) and issubclass(annotation, PLAIN)
