"""What a text of PostgreSQL holds."""

from __future__ import annotations

import re

# NUL (PostgreSQL, 8.3), and half of a pair of UTF-16, which is no character alone.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether a text of PostgreSQL can be this one."""
    return UNSTORABLE.search(text) is None
