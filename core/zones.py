"""The rules of time zones, from one source: the package tzdata.

The machine's own files, and those of PostgreSQL, are of other ages: an order near midnight would lie on one day in a
list and on another in a figure. So Python reads this package alone, and PostgreSQL is asked for no day (core.days).
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from core import defaults

MISSING_RULES = "The rules of time zones are missing: the package tzdata is not installed, or has no {name}."
MISSING_RULES_HINT = "Install it: pip install --require-hashes -r requirements.txt"


def use_packaged_rules() -> None:
    """Let Python read the package tzdata alone, whatever PYTHONTZPATH names and the machine has."""
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()


def require_rules() -> None:
    """Raise ImproperlyConfigured where the package is not there: no request could be answered."""
    for error in check_rules(None):
        raise ImproperlyConfigured(f"{error.msg} {error.hint}")


def check_rules(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """core.E001: there are no rules of time zones."""
    for name in ("UTC", defaults.TIME_ZONE):
        try:
            zoneinfo.ZoneInfo(name)
        except zoneinfo.ZoneInfoNotFoundError:
            return [Error(MISSING_RULES.format(name=name), hint=MISSING_RULES_HINT, id="core.E001")]
    return []
