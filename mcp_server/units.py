"""Money and time in answers, with what it takes to read them: a currency's decimals, the zone of times and days."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import BaseModel, PlainSerializer, computed_field

from core import formats

# In the caller's time zone, with its offset from UTC.
Moment = Annotated[datetime, PlainSerializer(timezone.localtime, return_type=datetime)]


class Priced(BaseModel):
    """Has amounts of money, in the minor unit of its currency: 1999 with 2 decimals is 19.99."""

    currency: str

    @computed_field  # type: ignore[prop-decorator]  # pydantic wants it above a property
    @property
    def decimals(self) -> int:
        return formats.decimals(self.currency)


class Dated(BaseModel):
    """Has times or days: those of the caller's time zone."""

    @computed_field  # type: ignore[prop-decorator]  # pydantic wants it above a property
    @property
    def time_zone(self) -> str:
        return timezone.get_current_timezone_name()


def note(structured: dict[str, Any]) -> str:
    """What a text's amounts, times and days are in, as the structured content says it; '' where it says nothing."""
    units: dict[str, None] = {}
    _collect(structured, units)
    return " ".join(units)


def _collect(value: Any, units: dict[str, None]) -> None:
    if isinstance(value, list):
        for each in value:
            _collect(each, units)
    elif isinstance(value, dict):
        if isinstance(value.get("currency"), str) and "decimals" in value:
            money = _("Money: {currency}, {decimals} decimals.")
            units[money.format(currency=value["currency"], decimals=value["decimals"])] = None
        if isinstance(value.get("time_zone"), str):
            units[_("Times: {time_zone}.").format(time_zone=value["time_zone"])] = None
        for each in value.values():
            _collect(each, units)
