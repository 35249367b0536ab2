"""Where a day begins: the one place that computes it. PostgreSQL gets these moments, and no name of a time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)


def start(day: date, zone: tzinfo) -> datetime:
    """The moment from which on the clocks of a zone show this day or a later one, as a time of that zone.

    That is midnight, but where clocks are changed about midnight: then it is the first moment after the gap (01:00 in
    America/Santiago), or the midnight after which the day before does not come back (America/St_Johns until 2011). A
    day that a zone has left out begins when the next one does (2011-12-30 in Pacific/Apia).
    """
    midnight = datetime.combine(day, time.min, zone)
    # One moment, mostly. PEP 495: the two readings of a time that comes twice, or never.
    first, last = sorted(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != last and not _is_before(last - TICK, day, zone):
        last = _change(first, last, day, zone) if _is_before(first, day, zone) else first
    return last.astimezone(zone)


def starts(first: date, last: date, zone: tzinfo) -> dict[date, datetime]:
    """Where each day begins, from one day to another; a day that the zone has left out is missing."""
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    moments = [start(day, zone) for day in [*every, last + timedelta(days=1)]]
    return {day: begins for day, begins, ends in zip(every, moments, moments[1:], strict=False) if begins < ends}


def _change(before: datetime, after: datetime, day: date, zone: tzinfo) -> datetime:
    """The second between the two at which the clocks jump to the day."""
    while after - before > SECOND:
        middle = before + (after - before) // SECOND // 2 * SECOND
        before, after = (middle, after) if _is_before(middle, day, zone) else (before, middle)
    return after


def _is_before(moment: datetime, day: date, zone: tzinfo) -> bool:
    return moment.astimezone(zone).date() < day
