"""What tools that are about a period take and answer."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, Field

from core import formats
from core.periods import Period
from mcp_server.call.units import Moment

PeriodName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=40,
        description="Such as today, last_week, last_30_days, 2026-11 or 2026-10-01..2026-11-15.",
    ),
]


class Span(BaseModel):
    """A period: from `first_day` to `last_day`, that is from `start` up to `end`, which is not part of it."""

    name: str
    first_day: date
    last_day: date
    start: Moment
    end: Moment

    @classmethod
    def of(cls, period: Period) -> Self:
        return cls(
            name=period.name,
            first_day=period.first_day,
            last_day=period.last_day,
            start=period.start,
            end=period.end,
        )

    def days(self) -> dict[str, str]:
        """The first and the last day, as a text has them."""
        return {"first": formats.day(self.first_day), "last": formats.day(self.last_day)}
