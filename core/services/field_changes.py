"""What a change has changed: a field of a row, with its value before and after."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldChange:
    """The value of a field before and after a change."""

    field: str
    before: str | int | bool
    after: str | int | bool
