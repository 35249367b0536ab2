"""How long an answer may be, and what becomes of a longer one.

Clients cut what they show to a model, or refuse it, at about 25,000 tokens. Some show the structured content, some the
text, some both: what is counted is both together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent

from mcp_server import sentences

MAX_TOKENS = 20_000  # tokens
# Of an error, which only says what is wrong and, at its end, what to do.
MAX_ERROR_TOKENS = 4_000

# Characters that are a token each: Chinese, Japanese and Korean, and what is written as wide. Of others four are one.
WIDE_CHARACTERS = re.compile(
    "[\u1100-\u11ff\u2e80-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U0001f000-\U0003ffff]"
)

# To how many characters the texts of an answer are cut, one after the other until it fits. No sku is longer.
TEXT_LENGTHS = (1_000, 300, 100, 64)
# A text like this is a cursor, a link or a key: a part of it is worth nothing.
HANDLE_PATTERN = re.compile(r"[!-~]{1,1000}")
# A line of a list, with its sku and figures, is not cut; nor is the heading, when the rows are.
MIN_LINE_TOKENS, MIN_LINES = 120, 10
# Nor are the last lines, which say what to do next, and with which confirmation.
LAST_LINE_COUNT = 3
# An object with more names than this is no row with its fields, but a list by name.
MAX_FIELDS = 50
# What the next call needs, and what it is asked for; not even the shortest answer is without them.
NEEDED_FIELDS = ("dry_run", "confirmation", "next_cursor")


class ShortResult(CallToolResult):
    """A result that fits: both of its forms together have no more than MAX_TOKENS characters, so no more tokens."""


def tokens(text: str) -> int:
    """About how many tokens a text is."""
    wide = len(WIDE_CHARACTERS.findall(text))
    return wide + (len(text) - wide + 3) // 4


def size(result: CallToolResult) -> int:
    """The tokens of a result, in both of its forms."""
    texts = (block.text for block in result.content if isinstance(block, TextContent))
    structured = result.structured_content
    return sum(map(tokens, texts)) + (0 if structured is None else tokens(as_json(structured)))


def as_json(value: Any) -> str:
    """As it travels. Raises ValueError: there is a number in it that JSON has no word for."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """The tool that was called, and whether it takes a limit; the answer to a change can't be refused any more."""

    tool: str
    takes_limit: bool
    is_change: bool


def fitted(result: CallToolResult, asked: Asked) -> CallToolResult:
    """The result, not longer than the limit: long texts are cut, and after them the lists of a change's answer.

    Both forms say that something was cut, and how to get it. Raises ToolError: it is still too long; the words say how
    to ask for less.
    """
    if isinstance(result, ShortResult) or (found := size(result)) <= MAX_TOKENS:
        return result
    fewer = _fewer(result, found, asked)
    cut = result
    for length in TEXT_LENGTHS:
        cut = _cut(result, length, None, _cut_words(length, fewer))
        if size(cut) <= MAX_TOKENS:
            return cut
    if asked.is_change:
        return next((each for each in _shorter_lists(result) if size(each) <= MAX_TOKENS), _shortest(result))
    raise ToolError(_too_long(size(cut), _fewer(result, size(cut), asked)))


def fitted_texts(texts: list[str]) -> list[str]:
    """Texts that are read together, likewise. Markup is not cut. Raises ToolError."""
    cut = texts
    for length in TEXT_LENGTHS:
        if sum(map(tokens, cut)) <= MAX_TOKENS:
            return cut
        cut = [_read(text, length, _cut_words(length, "")) for text in texts]
    if (found := sum(map(tokens, cut))) > MAX_TOKENS:
        raise ToolError(_too_long(found, ""))
    return cut


def fewer_rows(call: str) -> str:
    """What to do where a page would be too long, and this call gives a shorter one."""
    return _("Call {call} instead, and continue with its next_cursor.").format(call=call)


def ask_for_less() -> str:
    """What to do where an answer, or the work for it, is too much."""
    return _("Ask for less: with more filters, for a shorter period, or for one thing at a time.")


def brief(text: str) -> str:
    """An error's text, and of a very long one the beginning and the end."""
    if tokens(text) <= MAX_ERROR_TOKENS:
        return text
    return f"{text[: MAX_ERROR_TOKENS - 500]}…{text[-500:]}"


def _fewer(result: CallToolResult, found: int, asked: Asked) -> str:
    """The call that has a shorter answer, where there is one."""
    rows = max((len(each) for each in (result.structured_content or {}).values() if isinstance(each, list)), default=0)
    if not asked.takes_limit or rows < 2:
        return ""
    return f"{asked.tool} limit={max(1, min(rows - 1, rows * MAX_TOKENS // found))}"


def _cut_words(length: int, fewer: str) -> str:
    words = _("Texts of more than {length} characters are cut, and end in “…”.").format(length=length)
    how = (
        _("To see the full texts, call {call}.").format(call=fewer)
        if fewer
        else _("To see the full texts, ask for less.")
    )
    return sentences.joined([words, how])


def _too_long(found: int, fewer: str) -> str:
    words = _("This answer is too long: about {found} tokens, and the limit is {limit}.").format(
        found=found, limit=MAX_TOKENS
    )
    return sentences.joined([words, fewer_rows(fewer) if fewer else ask_for_less()])


def _shorter_lists(result: CallToolResult) -> Iterator[CallToolResult]:
    """The result with the shortest texts and fewer and fewer rows in each list."""
    for rows in (50, 20, 5, 1, 0):
        words = _("At most {rows} rows of each list are shown; long texts are cut, and end in “…”.").format(rows=rows)
        yield _cut(result, TEXT_LENGTHS[-1], rows, sentences.joined([_outcome(result), words]))


def _shortest(result: CallToolResult) -> CallToolResult:
    """The end of the text, and what the next call needs where it fits."""
    too_long = _("The answer is too long to be shown. Call a tool that reads to see the data as it is now.")
    words = sentences.joined([_outcome(result), too_long])
    texts = [block.text for block in result.content if isinstance(block, TextContent)]
    lines = [_line(line, MIN_LINE_TOKENS) for line in "\n".join(texts).splitlines()[-LAST_LINE_COUNT:]]
    others = [block for block in result.content if not isinstance(block, TextContent)]
    structured = result.structured_content
    if structured is not None:
        needed = {name: structured[name] for name in NEEDED_FIELDS if name in structured}
        short = {name: value for name, value in needed.items() if tokens(as_json(value)) <= MAX_TOKENS // 10}
        structured = _marked(short, words)
    return result.model_copy(
        update={
            "content": [TextContent(type="text", text="\n".join([*lines, words])), *others],
            "structured_content": structured,
        }
    )


def _outcome(result: CallToolResult) -> str:
    is_dry_run = (result.structured_content or {}).get("dry_run")
    return _("Nothing was changed.") if is_dry_run or result.is_error else _("It is done.")


def _cut(result: CallToolResult, length: int, rows: int | None, words: str) -> CallToolResult:
    texts = [block.text for block in result.content if isinstance(block, TextContent)]
    text = "\n".join([*(_lines(each, length, rows) for each in texts), words])
    others = [block for block in result.content if not isinstance(block, TextContent)]
    structured = result.structured_content
    if structured is not None:
        shortened = {name: _shortened(each, length, rows) for name, each in structured.items()}
        structured = _marked(shortened, words)
    return result.model_copy(
        update={"content": [TextContent(type="text", text=text), *others], "structured_content": structured}
    )


def _read(text: str, length: int, words: str) -> str:
    if text.startswith("<"):
        return text
    try:
        return as_json(_marked(_shortened(json.loads(text), length, None), words))
    except ValueError:
        cut = _lines(text, length, None)
        return text if cut == text else f"{cut}\n{words}"


def _marked(value: Any, words: str) -> Any:
    return {**value, "cut": words} if isinstance(value, dict) else value


def _shortened(value: Any, length: int, rows: int | None) -> Any:
    if isinstance(value, str):
        return value if len(value) <= length or HANDLE_PATTERN.fullmatch(value) else f"{value[:length]}…"
    if isinstance(value, list):
        return [_shortened(each, length, rows) for each in value[:rows]]
    if isinstance(value, dict):
        names = list(value)[:rows] if len(value) > MAX_FIELDS else value
        return {name: _shortened(value[name], length, rows) for name in names}
    return value


def _lines(text: str, length: int, rows: int | None) -> str:
    lines = text.splitlines()
    if rows is not None and len(lines) > (kept := 2 * rows + MIN_LINES) + LAST_LINE_COUNT:
        lines = [*lines[:kept], *lines[-LAST_LINE_COUNT:]]
    return "\n".join(_line(line, max(length, MIN_LINE_TOKENS)) for line in lines)


def _line(line: str, length: int) -> str:
    if tokens(line) <= length:
        return line
    last = line.rpartition(" ")[2]
    # A cursor or a link at its end is worth nothing without its own.
    return f"{line[:length]}… {last}" if HANDLE_PATTERN.fullmatch(last) else f"{line[:length]}…"
