"""Lines of a list, short enough that twenty of them are less than 2.5 KB of UTF-8 with their heading and cursor."""

from __future__ import annotations

import unicodedata

from django.utils.text import Truncator
from django.utils.translation import gettext as _

MAX_LINE_BYTES = 105
MAX_NAME_LENGTH = 40
MIN_NAME_BYTES = 15  # whatever stands beside it
# Stands for the name while the rest of the line is written: no text of PostgreSQL has it.
PLACE = "\0"


def line(template: str, *, name: str, **facts: object) -> str:
    """The template with its facts, and with as much of the name as fits."""
    text = template.format(name=PLACE, **facts)
    taken = len(text.encode()) - len(PLACE)
    return text.replace(PLACE, _cut(_beginning(" ".join(name.split())), max(MAX_LINE_BYTES - taken, MIN_NAME_BYTES)))


def more(cursor: str | None) -> list[str]:
    """The line that says how to go on, where there is more."""
    return [_("There are more: call again with cursor={cursor}").format(cursor=cursor)] if cursor else []


def _beginning(name: str) -> str:
    if len(name) <= MAX_NAME_LENGTH and unicodedata.is_normalized("NFC", name):
        return name
    return Truncator(name).chars(MAX_NAME_LENGTH)


def _cut(text: str, size: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= size else encoded[: size - 3].decode(errors="ignore") + "…"
