"""Countries by what people call them, and the time zones that each has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from django.utils import translation

from core import defaults


def by_name() -> dict[str, set[str]]:
    """Codes of countries (ISO 3166) by their names, in lower case, in English and in the languages of texts.

    Some names are those of two: Korea.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for code, name in _rows("iso3166.tab"):
        found[name.partition(" (")[0].casefold()].add(code)
    for locale in locales():
        for code, name in locale.territories.items():
            found[name.casefold()].add(code)
    return found


def by_code() -> dict[str, set[str]]:
    """The same by their codes of two and three letters: "tw", "usa".

    Not by those of two that end in T: ET is rather the time of New York than Ethiopia.
    """
    codes = {code.casefold(): {code} for code, _name in _rows("iso3166.tab") if not code.endswith("T")}
    aliases = {alias.casefold(): {*now} for alias, now in get_global("territory_aliases").items() if len(now) == 1}
    return aliases | codes


def zones(codes: set[str]) -> list[str]:
    """The time zones of countries, in the order of tzdata: "zone.tab" has large ones first where it can."""
    return [zone for code, _place, zone in _rows("zone.tab") if code in codes]


def locales() -> list[Locale]:
    """English, and the languages that texts are in."""
    languages = dict.fromkeys(["en", *defaults.Locale, translation.get_language() or "en"])
    return [found for language in languages if (found := _locale(language))]


def _locale(language: str) -> Locale | None:
    try:
        return Locale.parse(translation.to_locale(language))
    except UnknownLocaleError:
        return None


def _rows(table: str) -> Iterator[list[str]]:
    """The rows of a table of tzdata, without comments and what stands behind them."""
    columns = 2 if table == "iso3166.tab" else 3
    for line in files("tzdata.zoneinfo").joinpath(table).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield line.split("\t")[:columns]
