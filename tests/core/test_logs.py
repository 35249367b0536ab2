"""A log record is one line of JSON."""

from __future__ import annotations

import json
import logging
import sys
from uuid import UUID

from core.logs import Anticipated, JSONFormatter, Seldom


def record(message: str, *args: object, extra: dict[str, object] | None = None) -> logging.LogRecord:
    logger = logging.getLogger("tests")
    return logger.makeRecord("tests", logging.WARNING, __file__, 1, message, args, None, extra=extra)


def test_a_record_is_one_line_of_json() -> None:
    line = JSONFormatter().format(record("two\nlines of %s", "茶"))

    assert "\n" not in line
    entry = json.loads(line)
    assert entry.pop("at")[10] == "T"
    assert entry == {"level": "WARNING", "logger": "tests", "message": "two\nlines of 茶"}


def test_extra_fields_stand_beside_the_message() -> None:
    tenant_id = UUID(int=7)

    entry = json.loads(JSONFormatter().format(record("called", extra={"tool": "add", "tenant": tenant_id})))

    assert (entry["message"], entry["tool"], entry["tenant"]) == ("called", "add", str(tenant_id))


def test_a_traceback_stays_on_the_line() -> None:
    failed = record("failed")
    try:
        int("no number")
    except ValueError:
        failed.exc_info = sys.exc_info()

    line = JSONFormatter().format(failed)

    assert "\n" not in line
    traceback = json.loads(line)["traceback"]
    assert traceback.startswith("Traceback (most recent call last)")
    assert traceback.endswith("ValueError: invalid literal for int() with base 10: 'no number'")


def test_a_warning_of_many_is_said_once_and_other_kinds_beside_it() -> None:
    seldom = Seldom()
    first, second, other = (warning(text) for text in ("lost", "lost", "late"))

    assert [seldom.filter(each) for each in (first, second, other)] == [True, False, True]


def test_what_is_no_warning_passes() -> None:
    seldom = Seldom()

    assert seldom.filter(noted("called"))
    assert seldom.filter(noted("called"))


def test_an_outage_is_not_told_again_for_each_request() -> None:
    anticipated = Anticipated()

    assert not anticipated.filter(record("Service Unavailable", extra={"status_code": 503}))
    assert anticipated.filter(record("Internal Server Error", extra={"status_code": 500}))
    assert anticipated.filter(record("other"))


def noted(text: str) -> logging.LogRecord:
    return logging.LogRecord("rls.backends.lost", logging.INFO, __file__, 1, text, (), None)


def warning(text: str) -> logging.LogRecord:
    return logging.LogRecord("rls.backends.lost", logging.WARNING, __file__, 1, text, (), None)
