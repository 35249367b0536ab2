"""Texts that have a place of a certain width; numbers, days and moments as Babel writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from django.utils import timezone, translation

from core import formats
from core.mcp_tools import listing

# The languages of the shop, and others that differ in separators, in the sizes of groups and in the words of a day.
LANGUAGES = [
    "en",
    "zh-hant",
    "de",
    "de-ch",
    "fr",
    "ja",
    "hi",
    "en-in",
    "es",
    "pl",
    "pt",
    "fa",
    "he",
    "ar",
    "ko",
    "vi",
    "fi",
]
NUMBERS = [0, 1, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000, 123_456, 1_234_567, 12_345_678, 10**12, 2**63 - 1]


def locale_of(language: str) -> Locale:
    return Locale.parse(translation.to_locale(language))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("Anvil", "Anvil"),
        ("Anvil of iron", "Anvil of…"),
        ("高山烏龍茶", "高山烏龍…"),
        ("高山烏龍", "高山烏龍"),
    ],
)
def test_a_long_text_is_cut_and_chinese_is_twice_as_wide(text: str, shown: str) -> None:
    assert formats.short(text, columns=9) == shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_is_written_as_babel_writes_it(language: str) -> None:
    locale = locale_of(language)

    with translation.override(language):
        for number in [*NUMBERS, *(-number for number in NUMBERS), 0.5, 1234.5678, -2.25]:
            assert formats.number(number) == format_decimal(number, locale=locale), number
        for share in [0, 0.125, 0.1, 1, 12.3456, -0.07]:
            assert formats.percent(share) == format_percent(share, format="#,##0.#%", locale=locale), share


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Taipei", "America/New_York"])
def test_a_moment_and_a_day_are_written_as_babel_writes_them(language: str, zone: str) -> None:
    locale = locale_of(language)
    # Each hour of a day with other minutes; midnight, noon, and what is seconds after them; other days and years.
    first = datetime(2026, 3, 8, tzinfo=UTC)
    moments = [first + timedelta(minutes=61 * step, seconds=step % 3) for step in range(60)]
    moments += [first + timedelta(hours=hours, seconds=seconds) for hours in range(25) for seconds in (0, 30)]
    moments += [first + timedelta(days=37 * step, microseconds=1) for step in range(20)]

    with translation.override(language), timezone.override(ZoneInfo(zone)):
        for moment in [*moments, *moments]:
            by_babel = format_datetime(moment, format="short", tzinfo=timezone.get_current_timezone(), locale=locale)
            assert formats.moment(moment) == by_babel, moment
            assert formats.day(moment) == format_date(timezone.localtime(moment).date(), "medium", locale=locale)
        assert formats.day(date(1999, 12, 31)) == format_date(date(1999, 12, 31), "medium", locale=locale)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Anvil", "- A-1 Anvil: 5"),
        ("  An  anvil\nof iron ", "- A-1 An anvil of iron: 5"),
        ("x" * 40, f"- A-1 {'x' * 40}: 5"),
        ("x" * 41, f"- A-1 {'x' * 39}…: 5"),
        ("Cafe\u0301", "- A-1 Café: 5"),
        ("e\u0301" * 40, f"- A-1 {'é' * 40}: 5"),
        ("茶" * 40, f"- A-1 {'茶' * 31}…: 5"),
        ("{stock} {name}", "- A-1 {stock} {name}: 5"),
    ],
)
def test_a_line_has_as_much_of_the_name_as_fits(name: str, shown: str) -> None:
    assert listing.line("- {sku} {name}: {stock}", name=name, sku="A-1", stock=5) == shown
    assert len(shown.encode()) <= listing.MAX_LINE_BYTES
