"""Logs: one JSON object a line."""

from __future__ import annotations

import json
import logging
import re
import time
from functools import lru_cache
from time import monotonic

STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}

# Made once: json.dumps() makes one for each record that has options.
ENCODER = json.JSONEncoder(default=str, ensure_ascii=False)

# Whoever has the link of an export may read it for an hour.
SIGNED_URL = re.compile(r"((?:/exports|export:/)/)[\w.%-]+")


class JSONFormatter(logging.Formatter):
    """Formats a record as one line of JSON; what was passed as `extra` stands beside the message.

    What is signed in a link is left out, wherever it stands.
    """

    def format(self, record: logging.LogRecord) -> str:
        facts = {key: value for key, value in vars(record).items() if key not in STANDARD_ATTRIBUTES}
        entry = facts | {
            "at": _second(int(record.created)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return SIGNED_URL.sub(r"\1...", ENCODER.encode(entry))


@lru_cache(maxsize=1)  # records of one second follow each other
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(at))


class Anticipated(logging.Filter):
    """Leaves out what is answered with 503: `rls.backends.lost` has warned of it, once for all."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", None) != 503


class Seldom(logging.Filter):
    """Lets a warning of one kind pass once in ten seconds: what one cause makes many of is said once."""

    SECONDS = 10.0

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        kind, now = (record.name, str(record.msg)), monotonic()
        if now - self._passed.get(kind, float("-inf")) < self.SECONDS:
            return False
        self._passed[kind] = now
        return True
