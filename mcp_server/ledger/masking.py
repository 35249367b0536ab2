"""Arguments of a call as they are kept: without secrets, without what a text of PostgreSQL can't hold, and cut.

A secret is what the tool's schema calls one (`writeOnly`, or `format: password`, as pydantic writes for SecretStr), and
what has the name of one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mcp_server.declare.schemas import Schema
from mcp_server.texts import UNSTORABLE

MASK = "***"
CUT = "…"
REPLACEMENT = "\ufffd"

SECRET_NAME = re.compile(
    r"pass_?(word|wd|phrase|code)|secret|token|api[_-]?key|private[_-]?key|authorization|credential|cookie|^confirmation$",
    re.IGNORECASE,
)

# Characters of one text, and of all texts and names of a call; items of a list; how deep values lie in each other.
MAX_TEXT_LENGTH = 500
MAX_LENGTH = 4_000
MAX_ITEMS = 50
MAX_DEPTH = 8
# A number of more bits is no argument of ours, and takes long to write.
MAX_BITS = 128


def secret_names(schema: Schema) -> frozenset[str]:
    """The names of the arguments, at any depth, that a schema says are secret."""
    return frozenset(_secret_names(schema))


def masked(value: Any, secrets: frozenset[str] = frozenset()) -> Any:
    """A JSON value without secrets: `secrets` are the names of more of them than names tell."""
    if isinstance(value, dict):
        return {name: MASK if is_secret(name, secrets) else masked(each, secrets) for name, each in value.items()}
    return [masked(each, secrets) for each in value] if isinstance(value, list) else value


def kept(arguments: dict[str, Any], secrets: frozenset[str]) -> dict[str, Any]:
    """The same, cut to what is worth keeping of a call that has changed nothing."""
    found: dict[str, Any] = _Cut(secrets).of(arguments)
    return found


def is_secret(name: str, secrets: frozenset[str]) -> bool:
    """Whether what has this name is not to be kept."""
    return name in secrets or SECRET_NAME.search(name) is not None


class _Cut:
    """Cuts the arguments of one call."""

    def __init__(self, secrets: frozenset[str]) -> None:
        self._secrets = secrets
        self._room = MAX_LENGTH

    def of(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict | list) and (depth == MAX_DEPTH or self._room <= 0):
            return CUT
        if isinstance(value, dict):
            found = {}
            for name, each in islice(value.items(), MAX_ITEMS):
                found[self._text(name)] = MASK if is_secret(name, self._secrets) else self.of(each, depth + 1)
            return found
        if isinstance(value, list):
            more = [CUT] if len(value) > MAX_ITEMS else []
            return [self.of(each, depth + 1) for each in value[:MAX_ITEMS]] + more
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        return CUT if isinstance(value, int) and value.bit_length() > MAX_BITS else value

    def _text(self, text: str) -> str:
        room = min(MAX_TEXT_LENGTH, max(self._room, 0))
        self._room -= len(text)
        return UNSTORABLE.sub(REPLACEMENT, text if len(text) <= room else text[:room] + CUT)


def _secret_names(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _secret_names(each)
    elif isinstance(schema, dict):
        for name, each in schema.get("properties", {}).items():
            if _is_secret(each):
                yield name
        for each in schema.values():
            yield from _secret_names(each)


def _is_secret(schema: Any) -> bool:
    """Whether a value is one, or what is listed in it."""
    if not isinstance(schema, dict):
        return False
    if schema.get("writeOnly") is True or schema.get("format") == "password":
        return True
    inside = [schema.get("items"), *(each for word in ("anyOf", "oneOf", "allOf") for each in schema.get(word, ()))]
    return any(map(_is_secret, inside))
