"""Money, numbers and dates as a person reads them: in the language and the time zone that are active."""

from __future__ import annotations

import unicodedata
from copy import copy
from datetime import date, datetime
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, format_percent
from django.utils import timezone, translation

# The currencies whose minor unit is not a hundredth (ISO 4217, list one). CLDR, which Babel goes by, has other digits:
# those that people write, and they change with its versions.
OTHER_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
DECIMALS = {code: digits for digits, codes in OTHER_DECIMALS.items() for code in codes.split()}


def money(minor: int, currency: str) -> str:
    """An amount in the currency's minor unit (ISO 4217), with its symbol: 1999, "EUR" is €19.99."""
    locale = _locale()
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (decimals(currency), decimals(currency))
    return format_currency(major(minor, currency), currency, pattern, locale=locale, currency_digits=False)


def major(minor: int, currency: str) -> Decimal:
    """An amount in the currency's major unit: 1999, "EUR" is Decimal("19.99")."""
    return Decimal(minor).scaleb(-decimals(currency))


def decimals(currency: str) -> int:
    """How many digits of the major unit the minor unit is: 2 for EUR."""
    return DECIMALS.get(currency, 2)


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
    try:
        # Django says zh-hant, Unicode zh_Hant.
        return Locale.parse(translation.to_locale(translation.get_language() or "en"))
    except UnknownLocaleError:
        return Locale("en")
