"""Where a day begins, in zones whose clocks change about midnight; the rules are those of one package."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import days


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Asia/Taipei", "2026-11-26", "2026-11-25T16:00Z"),
        ("Asia/Kathmandu", "2026-11-26", "2026-11-25T18:15Z"),
        ("America/St_Johns", "2026-11-26", "2026-11-26T03:30Z"),
        # British Columbia has kept its summer time since 2026.
        ("America/Vancouver", "2026-11-26", "2026-11-26T07:00Z"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00Z"),
        ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00Z"),
        # No midnight: the clocks jump from 24:00 to 01:00.
        ("America/Santiago", "2025-09-07", "2025-09-07T04:00Z"),
        ("Africa/Cairo", "2025-04-25", "2025-04-24T22:00Z"),
        # From 23:30 to 00:30.
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30Z"),
        # Two midnights of one day; and one after which a part of the day before comes again.
        ("America/Havana", "2025-11-02", "2025-11-02T04:00Z"),
        ("America/St_Johns", "2010-11-07", "2010-11-07T03:30Z"),
        # No such day.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00Z"),
    ],
)
def test_a_day_begins_when_its_clocks_show_it_for_good(zone: str, day: str, begins: str) -> None:
    found = days.start(date.fromisoformat(day), ZoneInfo(zone))

    assert found.astimezone(UTC) == datetime.fromisoformat(begins)
    assert found.tzinfo == ZoneInfo(zone)


@given(
    zone=st.sampled_from(sorted(available_timezones())).map(ZoneInfo),
    day=st.dates(date(1900, 1, 2), date(2100, 1, 1)),
)
def test_before_its_beginning_it_is_the_day_before_and_from_then_on_never(zone: ZoneInfo, day: date) -> None:
    begins = days.start(day, zone)

    assert (begins.astimezone(UTC) - timedelta(microseconds=1)).astimezone(zone).date() < day
    assert all(
        (begins.astimezone(UTC) + timedelta(minutes=each)).astimezone(zone).date() >= day for each in range(0, 180, 15)
    )


@given(
    zone=st.sampled_from(sorted(available_timezones())).map(ZoneInfo),
    day=st.dates(date(1900, 1, 2), date(2100, 1, 1)),
)
def test_days_lie_beside_each_other(zone: ZoneInfo, day: date) -> None:
    found = list(days.starts(day, day + timedelta(days=3), zone).values())

    assert found == sorted(set(found))
    assert found[0] == days.start(day, zone)


def test_a_day_that_a_zone_left_out_is_no_day() -> None:
    found = days.starts(date(2011, 12, 29), date(2011, 12, 31), ZoneInfo("Pacific/Apia"))

    assert [day.day for day in found] == [29, 31]


def test_the_files_of_the_machine_do_not_decide(tmp_path: Path) -> None:
    program = "import core.settings, zoneinfo; print(zoneinfo.TZPATH, zoneinfo.ZoneInfo('Asia/Taipei'))"
    environment = os.environ | {"PYTHONTZPATH": str(tmp_path)}

    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "() Asia/Taipei\n"


@pytest.mark.parametrize(
    "command", [["manage.py", "check"], ["-m", "mcp_server"], ["-m", "uvicorn", "core.asgi:application"]]
)
def test_without_rules_a_sentence_says_so(command: list[str], tmp_path: Path) -> None:
    # Stands before the package in the import path, and has no files.
    (tmp_path / "tzdata").mkdir()
    (tmp_path / "tzdata" / "__init__.py").touch()
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()]),
        "DJANGO_SETTINGS_MODULE": "core.settings",
        "PORT": "8000",
    }

    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "the rules of time zones are missing: the package tzdata is not installed" in done.stderr
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
