"""Lines of a list, short enough that twenty of them are less than 2.5 KB of UTF-8 with their heading and cursor."""

from __future__ import annotations

from django.utils.text import Truncator
from django.utils.translation import gettext as _

MAX_LINE_BYTES = 105
MIN_NAME_BYTES = 15  # whatever stands beside it


def line(template: str, *, name: str, **facts: object) -> str:
    """The template with its facts, and with as much of the name as fits."""
    words = Truncator(" ".join(name.split())).chars(40)
    taken = len(template.format(name="", **facts).encode())
    return template.format(name=_cut(words, max(MAX_LINE_BYTES - taken, MIN_NAME_BYTES)), **facts)


def more(cursor: str | None) -> list[str]:
    """The line that says how to go on, where there is more."""
    return [_("There are more: call again with cursor={cursor}").format(cursor=cursor)] if cursor else []


def _cut(text: str, size: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= size else encoded[: size - 3].decode(errors="ignore") + "…"
