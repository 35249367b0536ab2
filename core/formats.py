"""Money, numbers and dates as a person reads them: in the language and the time zone that are active."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from decimal import Decimal
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from django.utils import timezone, translation

from core import money_patterns
from core.money_patterns import MoneyPattern


def money(minor: int, currency: str) -> str:
    """An amount in the currency's minor unit (ISO 4217), with a sign that no other currency has: 1999, "EUR" is €19.99,
    and a whole amount has no decimals where people write none: 48000, "TWD" is NT$480."""
    return _money_pattern(_language(), currency).write(minor)


def number(value: int | float | Decimal) -> str:
    """A number with its separators, to three decimals."""
    return format_decimal(value, locale=_locale())


def percent(share: float) -> str:
    """A share of 1 as a percentage with one decimal: 0.125 is 12.5%."""
    return format_percent(share, format="#,##0.#%", locale=_locale())


def day(value: date | datetime) -> str:
    """A day; of a moment, the day in the active time zone."""
    if isinstance(value, datetime):
        value = timezone.localtime(value).date()
    return format_date(value, format="medium", locale=_locale())


def moment(value: datetime) -> str:
    """A moment in the active time zone, to the minute."""
    # Given by name, Babel would look it up in pytz, which has rules of its own.
    zone = timezone.get_current_timezone()
    return format_datetime(value, format="short", tzinfo=zone, locale=_locale())


def columns(text: str) -> int:
    """How wide a text is, in Latin letters; Chinese characters are two wide."""
    return sum(map(_width, text))


def short(text: str, columns: int = 40) -> str:
    """The beginning of a text, as wide as so many Latin letters at most; Chinese characters are two wide."""
    width = kept = 0
    for character in text:
        width += _width(character)
        if width > columns:
            return text[:kept] + "…"
        kept += width < columns
    return text


def _width(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _locale() -> Locale:
    return _locale_of(_language())


def _language() -> str:
    return translation.get_language() or "en"


@cache
def _locale_of(language: str) -> Locale:
    try:
        # Django says zh-hant, Unicode zh_Hant.
        return Locale.parse(translation.to_locale(language))
    except UnknownLocaleError:
        return Locale("en")


@cache
def _money_pattern(language: str, currency: str) -> MoneyPattern:
    return money_patterns.of(_locale_of(language), currency)
