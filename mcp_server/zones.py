"""The time zone of an answer, also where its name is none: a zone that an update of the rules has taken away, or that
somebody has written into the database. Only what needs it is refused, so that a tool can set another one."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _

from mcp_server.errors import Refusal


class ZoneUnknown(Refusal):
    """Times would be those of a zone that there is not."""

    def __init__(self, name: str) -> None:
        super().__init__(
            _(
                "No time or day can be told: there is no time zone {name}. Set the time zone of this tenant to an IANA "
                "name, such as Europe/Paris."
            ).format(name=repr(name))
        )


class UnknownZone(tzinfo):
    """Stands for a zone that there is not: raises ZoneUnknown as soon as a time in it is asked for."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name

    def _refuse(self, moment: datetime | None) -> NoReturn:
        raise ZoneUnknown(self.name)

    utcoffset = dst = tzname = fromutc = _refuse


def of(name: str) -> tzinfo:
    """The zone with this IANA name, or one that raises ZoneUnknown when it is needed."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a name that is none, that leaves the directory, or is one
        return UnknownZone(name)
