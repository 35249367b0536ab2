"""Periods of time as people name them: "last_month", "2026-W47", "2026-10-01..2026-11-15"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from django.utils import timezone
from django.utils.translation import gettext as _

from core import days
from mcp_server.errors import Refusal

# For completions; the other forms are in the text of UnknownPeriod.
PERIOD_NAMES = (
    "today",
    "yesterday",
    "this_week",
    "last_week",
    "this_month",
    "last_month",
    "this_year",
    "last_year",
    "last_7_days",
    "last_30_days",
    "last_90_days",
)
MAX_DAYS = 730
MAX_RANGE = timedelta(days=3 * 366)
RECENT_DAYS = re.compile(r"last_([1-9][0-9]{0,2})_days")
# Years that every time zone and every column can hold, with the year before.
YEAR = r"(19[0-9]{2}|2[0-9]{3})"
DATED_PERIOD = re.compile(rf"{YEAR}(?:-(?:W([0-9]{{2}})|([0-9]{{2}})(?:-([0-9]{{2}}))?))?")


class UnknownPeriod(Refusal):
    """The text names no period."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of one time zone, both ends included: from the moment `start` up to the moment `end`, half-open.

    `months` is the number of calendar months it is, and 0 where it is a number of days.
    """

    name: str
    first_day: date
    last_day: date
    zone: tzinfo
    months: int
    start: datetime
    end: datetime

    @property
    def days(self) -> int:
        """How many days of the calendar it has."""
        return (self.last_day - self.first_day).days + 1

    def day_starts(self) -> dict[date, datetime]:
        """Where each of its days begins."""
        return days.starts(self.first_day, self.last_day, self.zone)

    def previous(self) -> Period:
        """The period just before: the same months, or as many days."""
        count = timedelta(days=self.days)
        start = _shifted(self.first_day, -self.months) if self.months else self.first_day - count
        last = self.first_day - timedelta(days=1)
        return _period(f"{start}..{last}", start, self.first_day, self.zone, months=self.months)


def parse(text: str, *, now: datetime | None = None) -> Period:
    """The period that the text names; days begin in the active time zone, weeks on Monday (ISO 8601).

    It is one of PERIOD_NAMES, "last_N_days" with N from 1 to 730 (today is the last of them), "2026", "2026-11",
    "2026-W47", "2026-11-23", or "2026-10-01..2026-11-15" with both days in it and three years at the most.
    Raises UnknownPeriod.
    """
    zone = timezone.get_current_timezone()
    today = timezone.localtime(now, zone).date()
    found = _named(text, today) or _recent(text, today) or _range(text) or _dated(text)
    if found is None:
        raise UnknownPeriod(
            _(
                "There is no period {text}. Use {names}, last_N_days (N from 1 to 730), a year (2026), a month "
                "(2026-11), a week (2026-W47), a day (2026-11-23), or a range of up to three years "
                "(2026-10-01..2026-11-15)."
            ).format(text=repr(text[:40]), names=", ".join(PERIOD_NAMES))
        )
    start, end, months = found
    return _period(text, start, end, zone, months=months)


# First day, first day after, calendar months.
Span = tuple[date, date, int]


def _named(text: str, today: date) -> Span | None:
    monday, first, new_year = (
        today - timedelta(days=today.weekday()),
        today.replace(day=1),
        today.replace(month=1, day=1),
    )
    return {
        "today": _days(today, 1),
        "yesterday": _days(today - timedelta(days=1), 1),
        "this_week": _days(monday, 7),
        "last_week": _days(monday - timedelta(days=7), 7),
        "this_month": _months(first, 1),
        "last_month": _months(_shifted(first, -1), 1),
        "this_year": _months(new_year, 12),
        "last_year": _months(_shifted(new_year, -12), 12),
    }.get(text)


def _recent(text: str, today: date) -> Span | None:
    match = RECENT_DAYS.fullmatch(text)
    if match is None or int(match[1]) > MAX_DAYS:
        return None
    count = int(match[1])
    return _days(today - timedelta(days=count - 1), count)


def _range(text: str) -> Span | None:
    ends = [_dated(end) for end in text.split("..") if end.count("-") == 2]
    if len(ends) != 2 or text.count("..") != 1:
        return None
    first, last = ends
    if first is None or last is None or not first[0] < last[1] <= first[0] + MAX_RANGE:
        return None
    return first[0], last[1], 0


def _dated(text: str) -> Span | None:
    match = DATED_PERIOD.fullmatch(text)
    if match is None:
        return None
    year, week, month, day = match.groups()
    try:
        if week:
            return _days(date.fromisocalendar(int(year), int(week), 1), 7)
        if day:
            return _days(date(int(year), int(month), int(day)), 1)
        if month:
            return _months(date(int(year), int(month), 1), 1)
        return _months(date(int(year), 1, 1), 12)
    except ValueError:
        return None


def _days(start: date, count: int) -> Span:
    return start, start + timedelta(days=count), 0


def _months(start: date, count: int) -> Span:
    return start, _shifted(start, count), count


def _shifted(first_of_month: date, months: int) -> date:
    month = first_of_month.year * 12 + first_of_month.month - 1 + months
    return date(month // 12, month % 12 + 1, 1)


def _period(name: str, start: date, end: date, zone: tzinfo, *, months: int) -> Period:
    last = end - timedelta(days=1)
    return Period(name, start, last, zone, months, start=days.start(start, zone), end=days.start(end, zone))
