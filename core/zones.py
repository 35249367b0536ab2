"""The rules of time zones, from one source: the package tzdata.

The machine's own files, and those of PostgreSQL, are of other ages: an order near midnight would lie on one day in a
list and on another in a figure. So Python reads this package alone, and PostgreSQL is asked for no day (core.days).
"""

from __future__ import annotations

import zoneinfo

from django.core.exceptions import ImproperlyConfigured

from core import defaults


def use_packaged_rules() -> None:
    """Let Python read the package tzdata alone, whatever PYTHONTZPATH names and the machine has.

    Raises ImproperlyConfigured: the package is not there, so that no request could be answered.
    """
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    try:
        for name in ("UTC", defaults.TIME_ZONE):
            zoneinfo.ZoneInfo(name)
    except zoneinfo.ZoneInfoNotFoundError as error:
        raise ImproperlyConfigured(
            "the rules of time zones are missing: the package tzdata is not installed, or not whole. Install it with "
            "pip install --require-hashes -r requirements.txt"
        ) from error
