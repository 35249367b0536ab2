"""The time zones that a tenant can choose, and which ones somebody means who has written something else."""

from __future__ import annotations

import difflib
import re
import unicodedata
import zoneinfo
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TypeVar
from zoneinfo import ZoneInfo

from babel.core import get_global
from django.utils import timezone

from core import defaults
from core.services import countries

T = TypeVar("T")

MAX_SUGGESTIONS = 3
MAX_SUGGESTIONS_OF_COUNTRY = 6
# Of a name with one that is meant; what is like a little place only has to be liker.
MIN_LIKENESS, MIN_LIKENESS_OF_LITTLE = 0.8, 0.84
MIN_LETTERS = 4  # of what is compared with names: less is like too many of them
OFFSET = re.compile(r"(?:UTC|GMT|Z)?_?([+-])_?(\d{1,2})(?::?(\d{2}))?")
# Of zones with the same clocks, those that most people live in come first.
POPULOUS = (
    *("Asia/Shanghai", "Asia/Calcutta", "Asia/Tokyo", "Asia/Seoul", "Asia/Singapore", "Asia/Jakarta"),
    *("Australia/Sydney", "Europe/London", "Europe/Paris", "Europe/Berlin", "Europe/Kyiv", "Europe/Moscow"),
    *("America/New_York", "America/Toronto", "America/Chicago", "America/Denver", "America/Los_Angeles"),
    *("America/Vancouver", "America/Mexico_City", "America/Sao_Paulo", "America/Santiago"),
)
# Taipei and Taiwan begin with either, and CLDR has them with the second.
FORMAL_TAI, USUAL_TAI = "臺", "台"
# What stands after these is no city: Brazil/West.
COUNTRIES = ("Brazil/", "Canada/", "Chile/", "Mexico/", "US/")
NO_CITIES = frozenset({"Australia/North", "Australia/South", "Australia/West"})
# In these the sign is the other way round (POSIX): Etc/GMT-8 is ahead of UTC.
REVERSED = "Etc/"
NAMES_OF_UTC = frozenset({"utc", "gmt", "z", "zulu", "uct", "greenwich", "universal"})


def names() -> list[str]:
    """Names of places, and UTC; no abbreviations, and none whose sign says the opposite of what people read."""
    return sorted(
        name
        for name in zoneinfo.available_timezones()
        if ("/" in name and not name.startswith(REVERSED)) or name == "UTC"
    )


def is_reversed(text: str) -> bool:
    """Whether it names an offset with the sign the other way round."""
    return re.fullmatch(r"etc/gmt[+-]\d+", _plain(text).casefold()) is not None


def suggestions(text: str) -> list[str]:
    """Names that may be meant, the likeliest first; none rather than one whose clocks are far from what was written.

    An offset gives zones whose standard time it is; a city, an abbreviation or a mistyped name the zone that has it; a
    country a zone for each of its clocks.
    """
    plain = _plain(text)
    if is_reversed(plain):
        return []
    if plain.casefold().removeprefix(REVERSED.casefold()) in NAMES_OF_UTC:
        return ["UTC"]
    if match := OFFSET.fullmatch(plain.upper()):
        return _at(match)[:MAX_SUGGESTIONS]
    if found := _of_place(plain) or _of_country(plain):
        return found
    return (_of_key(plain) or _of_abbreviation(plain))[:MAX_SUGGESTIONS] or _like(plain)


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-").strip().replace(" ", "_")
    return plain.replace(FORMAL_TAI, USUAL_TAI)


def _by_plain(names: dict[str, T]) -> dict[str, T]:
    return {_plain(name).casefold(): each for name, each in names.items()}


def _at(match: re.Match[str]) -> list[str]:
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    if not offset:
        return ["UTC"]
    return [name for name in _known() if min(_offsets(name)) == offset]


def _of_place(text: str) -> list[str]:
    """The zone with this name or city, in any case; in English or in a language of texts."""
    found = _places().get(text.casefold())
    return [found] if found else []


def _of_country(text: str) -> list[str]:
    """A zone for each of the clocks in a country, by its name, or by its code where that is no abbreviation of a time:
    EST is none of Estonia."""
    name = text.casefold()
    codes = _by_plain(countries.by_name()).get(name)
    if codes is None and not _calling_it(text, names()):
        codes = countries.by_code().get(name)
    return _clocks_of(codes) if codes else []


def _clocks_of(codes: set[str]) -> list[str]:
    """Where most people live first, then where clocks are as in such a place."""
    offered, clocks = set(names()), {_offsets(zone) for zone in POPULOUS}
    zones = sorted(
        offered.intersection(every := countries.zones(codes)),
        key=lambda zone: (zone not in POPULOUS, _offsets(zone) not in clocks, every.index(zone)),
    )
    found: dict[tuple[timedelta, ...], str] = {}
    for zone in zones:
        found.setdefault(_offsets(zone), zone)
    return [*found.values()][:MAX_SUGGESTIONS_OF_COUNTRY]


def _of_key(text: str) -> list[str]:
    """Zones with the rules of an old name that is no place: EST5EDT, ROC."""
    keys = {key.casefold(): key for key in zoneinfo.available_timezones() if "/" not in key}
    key = keys.get(text.casefold())
    if key is None or _calling_it(text, names()):
        return []
    known = _known()
    for zones in (known, names()):
        if same := [name for name in zones if _rules(name) == _rules(key)]:
            return same
    return [name for name in known if _offsets(name) == _offsets(key)]


def _of_abbreviation(text: str) -> list[str]:
    """Zones that call their time so, if all of them mean the same: not CST, which is Chicago's and Taipei's."""
    found = _calling_it(text, _known()) or _calling_it(text, names())
    return found if len({_offsets(name) for name in found}) == 1 else []


def _calling_it(text: str, zones: list[str]) -> list[str]:
    return [name for name in zones if text.upper() in _abbreviations(name)]


def _like(text: str) -> list[str]:
    if len(text) < MIN_LETTERS or not re.fullmatch(r"[^\W\d]+([_/-][^\W\d]+)*", text):
        return []
    if _calling_it(text, names()):
        return []  # an abbreviation of several times, and no mistyped name
    places, known = _places(), set(_known())
    parts = {places[part] for part in re.split("[_-]", text.casefold()) if len(part) >= MIN_LETTERS and part in places}
    if len(parts) == 1:
        return [*parts]
    named = _by_plain(countries.by_name())
    country = _closest(text, named, MIN_LIKENESS)
    city = _closest(text, (name for name, zone in places.items() if zone in known), MIN_LIKENESS)
    if country and _likeness(text, country) >= _likeness(text, city):
        return _clocks_of(named[country])
    city = city or _closest(text, places, MIN_LIKENESS_OF_LITTLE)
    return [places[city]] if city else []


def _closest(text: str, names: Iterable[str], cutoff: float) -> str:
    return next(iter(difflib.get_close_matches(text.casefold(), list(names), n=1, cutoff=cutoff)), "")


def _likeness(text: str, name: str) -> float:
    return difflib.SequenceMatcher(None, name, text.casefold()).ratio()


def _places() -> dict[str, str]:
    """Zones by their names and by their cities, in lower case."""
    every = names()
    with_cities = [zone for zone in every if not zone.startswith(COUNTRIES) and zone not in NO_CITIES]
    cities = {zone.rpartition("/")[2].casefold(): zone for zone in with_cities}
    known = set(every)
    own = {
        _plain(facts["city"]).casefold(): zone
        for locale in countries.locales()
        for zone, facts in locale.time_zones.items()
        if "city" in facts and zone in known
    }
    return own | cities | {zone.casefold(): zone for zone in every}


def _known() -> list[str]:
    """Well-known zones, those that CLDR names for each time of Windows: the active one and the default first."""
    first = [timezone.get_current_timezone_name(), defaults.TIME_ZONE, *POPULOUS]
    known = set(names()) - {"UTC"}
    every = [*first, *sorted(get_global("windows_zone_mapping").values())]
    return [name for name in dict.fromkeys(every) if name in known]


def _halves() -> list[datetime]:
    """A moment in each half of this year: where there is summer time, one is in it."""
    year = timezone.now().year
    return [datetime(year, month, 1, tzinfo=UTC) for month in (1, 7)]


def _offsets(name: str) -> tuple[timedelta, ...]:
    found = (moment.astimezone(ZoneInfo(name)).utcoffset() for moment in _halves())
    return tuple(offset for offset in found if offset is not None)


def _rules(name: str) -> bytes:
    return files("tzdata.zoneinfo").joinpath(name).read_bytes()


def _abbreviations(name: str) -> set[str | None]:
    return {moment.astimezone(ZoneInfo(name)).tzname() for moment in _halves()}
