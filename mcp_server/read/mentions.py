"""Texts as a caller may use them: a sentence that names a tool which the caller has not is left out.

Whoever writes a text names what helps, and knows no token. So it is seen to where answers leave: descriptions, errors,
and what an answer says to do next. Rows are never changed: what they hold is somebody's data.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from mcp.server.context import HandlerResult

# A sentence, or a part of one before a semicolon, with the white space behind it; a line ends one too.
SENTENCE = re.compile(r".+?(?:[.!?;](?=\s|$)\s*|[。！？；]\s*|\n+|$)", re.DOTALL)
SEMICOLONS = ";；"
DESCRIPTION, NEXT_STEP = "description", "next_step"


def unsaid(names: frozenset[str], params: Mapping[str, Any] | None) -> frozenset[str]:
    """Those of the names that a message does not hold itself: what it is answered about them is what it would be
    answered about a name that was made up.
    """
    if not names:
        return names
    said = str(params)
    return frozenset(name for name in names if name not in said)


def kept(text: str, hidden: frozenset[str]) -> str:
    """The text without the sentences that name one of these tools; as it is, where nothing would be left."""
    names = _pattern(hidden)
    if not names.search(text):
        return text
    left = "".join(each for each in SENTENCE.findall(text) if not names.search(each)).rstrip()
    return left.rstrip(SEMICOLONS) or text


def kept_in(method: str, result: HandlerResult, hidden: frozenset[str]) -> HandlerResult:
    """An answer to a message of this method, likewise."""
    if not isinstance(result, dict):
        return result
    if method == "tools/call":
        return _of_call(result, hidden)
    if method.endswith("/list"):
        return {name: _described(each, hidden) for name, each in result.items()}
    return result


def _of_call(result: dict[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    structured = result.get("structuredContent") or {}
    if result.get("isError"):
        return {**result, "content": [_changed(each, lambda text: kept(text, hidden)) for each in result["content"]]}
    step = structured.get(NEXT_STEP)
    if not isinstance(step, str) or not _pattern(hidden).search(step):
        return result
    left = kept(step, hidden)
    shown = "" if left == step else left  # nothing would be left of it
    content = [_changed(each, lambda text: _with_line(text, step, shown)) for each in result["content"]]
    return {**result, "structuredContent": {**structured, NEXT_STEP: shown or None}, "content": content}


def _with_line(text: str, line: str, other: str) -> str:
    """The text with another line in the place of one, or, where that is empty, without it."""
    lines = text.split("\n")
    return "\n".join(other if each == line else each for each in lines if other or each != line)


def _changed(block: dict[str, Any], change: Any) -> dict[str, Any]:
    return {**block, "text": change(block["text"])} if block.get("type") == "text" else block


def _described(part: Any, hidden: frozenset[str]) -> Any:
    """A listed thing, with the descriptions in it."""
    if isinstance(part, list):
        return [_described(each, hidden) for each in part]
    if isinstance(part, dict):
        return {
            name: kept(each, hidden) if name == DESCRIPTION and isinstance(each, str) else _described(each, hidden)
            for name, each in part.items()
        }
    return part


@functools.lru_cache(maxsize=100)
def _pattern(names: frozenset[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(names)))})(?!\w)", re.ASCII)
