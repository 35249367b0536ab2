"""Money, numbers and dates as a person reads them: in the language and the time zone that are active."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_decimal, parse_pattern
from django.utils import timezone, translation

from core import money_patterns, number_patterns
from core.money_patterns import MoneyPattern
from core.number_patterns import NumberPattern

PERCENT = parse_pattern("#,##0.#%")


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes money, numbers and days in one language: what a list looks up once for all its rows."""

    language: str

    def money(self, minor: int, currency: str) -> str:
        """See `money`."""
        return _money_pattern(self.language, currency).write(minor)

    def number(self, value: int) -> str:
        """A whole number with its separators."""
        return _number_pattern(self.language).write(value)

    def day(self, value: datetime) -> str:
        """See `day`."""
        return _day(self.language, timezone.localtime(value).date())


def writer() -> Writer:
    """That of the active language."""
    return Writer(_language())


def money(minor: int, currency: str) -> str:
    """An amount in the currency's minor unit (ISO 4217), with a sign that no other currency has: 1999, "EUR" is €19.99,
    and a whole amount has no decimals where people write none: 48000, "TWD" is NT$480."""
    return _money_pattern(_language(), currency).write(minor)


def number(value: int | float | Decimal) -> str:
    """A number with its separators, to three decimals."""
    if isinstance(value, int):
        return _number_pattern(_language()).write(value)
    return format_decimal(value, locale=_locale())


def percent(share: float) -> str:
    """A share of 1 as a percentage with one decimal: 0.125 is 12.5%."""
    return str(PERCENT.apply(share, _locale()))


def day(value: date | datetime) -> str:
    """A day; of a moment, the day in the active time zone."""
    if isinstance(value, datetime):
        value = timezone.localtime(value).date()
    return _day(_language(), value)


def moment(value: datetime) -> str:
    """A moment in the active time zone, to the minute."""
    local, language = timezone.localtime(value), _language()
    # Seconds are not written, but midnight is the first of them alone where a language has a word for it.
    at = time(local.hour, local.minute, min(local.second, 1))
    return _joined(language).format(_time(language, at), _date(language, local.date()))


def columns(text: str) -> int:
    """How wide a text is, in Latin letters; Chinese characters are two wide."""
    return sum(map(_width, text))


def short(text: str, columns: int = 40) -> str:
    """The beginning of a text, as wide as so many Latin letters at most; Chinese characters are two wide."""
    if len(text) * 2 <= columns:
        return text
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


@cache
def _number_pattern(language: str) -> NumberPattern:
    return number_patterns.of(_locale_of(language))


@cache
def _joined(language: str) -> str:
    """The template for a time and a date."""
    return str(_locale_of(language).datetime_formats["short"]).replace("'", "")


# A language has 2,880 times, and lists have the same days again and again.
@lru_cache(maxsize=8192)
def _time(language: str, at: time) -> str:
    return format_time(at, format="short", locale=_locale_of(language))


@lru_cache(maxsize=8192)
def _date(language: str, value: date) -> str:
    return format_date(value, format="short", locale=_locale_of(language))


@lru_cache(maxsize=8192)
def _day(language: str, value: date) -> str:
    return format_date(value, format="medium", locale=_locale_of(language))
