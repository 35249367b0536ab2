"""Periods by name: in the time zone that is active, half-open, and with the period before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from core import periods
from core.periods import PERIOD_NAMES, UnknownPeriod

# In Taipei it is Tuesday the 24th already.
NOW = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def taipei() -> Iterator[None]:
    with timezone.override("Asia/Taipei"):
        yield


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("today", "2026-11-24", "2026-11-24"),
        ("yesterday", "2026-11-23", "2026-11-23"),
        ("this_week", "2026-11-23", "2026-11-29"),
        ("last_week", "2026-11-16", "2026-11-22"),
        ("this_month", "2026-11-01", "2026-11-30"),
        ("last_month", "2026-10-01", "2026-10-31"),
        ("this_year", "2026-01-01", "2026-12-31"),
        ("last_year", "2025-01-01", "2025-12-31"),
        ("last_1_days", "2026-11-24", "2026-11-24"),
        ("last_7_days", "2026-11-18", "2026-11-24"),
        ("last_30_days", "2026-10-26", "2026-11-24"),
        ("last_90_days", "2026-08-27", "2026-11-24"),
        ("last_730_days", "2024-11-25", "2026-11-24"),
        ("2026", "2026-01-01", "2026-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-11-23", "2026-11-23", "2026-11-23"),
        ("2026-W47", "2026-11-16", "2026-11-22"),
        ("2026-W53", "2026-12-28", "2027-01-03"),
        ("2026-10-01..2026-11-15", "2026-10-01", "2026-11-15"),
        ("2026-10-01..2026-10-01", "2026-10-01", "2026-10-01"),
    ],
)
def test_a_period_is_whole_days(text: str, first: str, last: str) -> None:
    period = periods.parse(text, now=NOW)

    assert period.name == text
    assert period.start.isoformat() == f"{first}T00:00:00+08:00"
    assert str(period.last_day) == last
    assert period.end.isoformat()[10:] == "T00:00:00+08:00"
    assert period.days == (period.last_day - period.start.date()).days + 1


@pytest.mark.parametrize(
    ("text", "previous"),
    [
        ("today", "2026-11-23..2026-11-23"),
        ("this_week", "2026-11-16..2026-11-22"),
        ("this_month", "2026-10-01..2026-10-31"),
        ("2026-01", "2025-12-01..2025-12-31"),
        ("2024-03", "2024-02-01..2024-02-29"),
        ("2025", "2024-01-01..2024-12-31"),
        ("last_30_days", "2026-09-26..2026-10-25"),
        ("2026-10-11..2026-10-20", "2026-10-01..2026-10-10"),
    ],
)
def test_the_period_before_is_of_the_same_calendar(text: str, previous: str) -> None:
    period = periods.parse(text, now=NOW)

    before = period.previous()

    assert before.name == previous
    assert before.end == period.start
    assert periods.parse(previous).start == before.start


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Today",
        "last_0_days",
        "last_731_days",
        "last_7_days ",
        "0001",
        "9999",
        "2026-13",
        "2026-00",
        "2026-02-30",
        "2026-W00",
        "2025-W53",
        "２０２６",
        "2026-11..2026-12",
        "2026-10-02..2026-10-01",
        "2026-10-01..2029-10-05",
        "2026-10-01..2026-10-02..2026-10-03",
        "..",
        "2026-10-01..",
        "\0",
    ],
)
def test_what_is_no_period_is_answered_with_those_there_are(text: str) -> None:
    with pytest.raises(UnknownPeriod, match=r"last_N_days.*2026-10-01\.\.2026-11-15"):
        periods.parse(text, now=NOW)


def test_every_name_is_known() -> None:
    assert [periods.parse(name).name for name in PERIOD_NAMES] == list(PERIOD_NAMES)


def test_the_first_and_the_last_year_have_their_neighbours() -> None:
    with timezone.override("Pacific/Kiritimati"):
        first, last = periods.parse("1900"), periods.parse("2999")

    assert first.previous().start.astimezone(UTC).year == 1899
    assert last.end.astimezone(UTC).year == 2999


def test_a_day_may_have_23_hours() -> None:
    with timezone.override("Europe/Berlin"):
        period = periods.parse("2026-03-29")

    assert period.days == 1
    assert (period.end.astimezone(UTC) - period.start.astimezone(UTC)).total_seconds() == 23 * 3600
