"""E-mail addresses and phone numbers in what is told: masked for whoever lacks the scope to see them.

It is done to the finished answer, whatever tool, resource or prompt it is of, and wherever in it an address stands: in
a field, a note, a name, a JSON text, a refusal.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

MASK = "***"

# What ends an address in a sentence, in Chinese too; and what else may not begin one, for it stands around addresses.
_END = r"\s<>()\[\]\",;:@＠。，、；：！？「」（）《》"
_AROUND = r"{}'"
# RFC 5321 4.1.2, as wide as what Django's EmailValidator lets pass; no longer than a column of it.
_DOMAIN = rf"[@＠](?:[^{_END}{_AROUND}.]{{1,63}}(?:\.[^{_END}{_AROUND}.]{{1,63}})+|localhost\b|\[[0-9A-Fa-f:.]+\])"
EMAIL = re.compile(rf"[^{_END}{_AROUND}][^{_END}]{{0,253}}{_DOMAIN}")
QUOTED_EMAIL = re.compile(rf'"[^"\n]{{1,64}}"{_DOMAIN}')
# As ITU-T E.123 writes it: international, or with the 0 of a trunk call. Not inside a word, a number or a UUID.
PHONE = re.compile(
    r"(?<![\w+.-])(?:\+\d(?:[ ().-]{0,2}\d){7,14}|0\d{1,3}[ -]\d{3,4}[ -]?\d{3,4}"
    r"|\(\d{2,4}\)[ -]?\d{3,4}[ -]?\d{3,4})(?![\w-])"
)

# Of a name whose words are parted by "_".
EMAIL_NAME = re.compile(r"(?:^|_)e?mails?(?:_address(?:es)?)?$", re.IGNORECASE)
PHONE_NAME = re.compile(r"(?:^|_)(?:phone|mobile|tel|telephone|fax)(?:e?s)?(?:_numbers?)?$", re.IGNORECASE)
NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# What the protocol carries beside what is told, and what opens something: it goes back as it came.
OPAQUE_NAMES = frozenset({"uri", "url", "blob", "data", "requestState", "nextCursor", "next_cursor", "confirmation"})

# The values of a mcp_server.declare.tools.ValueChange.
VALUE_NAMES = frozenset({"before", "after"})

# The methods whose answers hold what a tenant has.
METHODS = frozenset({"tools/call", "resources/read", "prompts/get", "completion/complete"})
COMPLETION = "completion/complete"

_hidden: ContextVar[bool] = ContextVar("mcp_contacts_hidden", default=False)


def told(text: str) -> str:
    """A text for the caller of the current message, as he may see it."""
    return masked_text(text) if _hidden.get() else text


def masked_text(text: str) -> str:
    """The text with its addresses and numbers masked: "wile@acme.example" is "w***@***", "+886 912 345 678" "***78"."""
    if "@" in text or "＠" in text:
        text = EMAIL.sub(_found_email, QUOTED_EMAIL.sub(_found_email, text))
    return PHONE.sub(lambda found: _phone(found[0]), text)


def masked(value: Any, name: str = "") -> Any:
    """A JSON value, of a field with this name, with what is in it masked; texts that are JSON themselves too.

    What is called as what the protocol carries is that only where it is a text, and `data` only of an image or a sound.
    """
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        # A ValueChange says which field its values are of.
        of = value["field"] if isinstance(value.get("field"), str) else ""
        for key, each in value.items():
            is_opaque = key in OPAQUE_NAMES and isinstance(each, str) and (key != "data" or "mimeType" in value)
            called = of if key in VALUE_NAMES else key
            found[_new_key(masked_text(key), found)] = each if is_opaque else masked(each, called)
        return found
    if isinstance(value, list | tuple):
        return [masked(each, name) for each in value]
    return _masked_field(value, name) if isinstance(value, str) else value


def _new_key(key: str, taken: Container[str]) -> str:
    """The key, or, where two are masked alike, another one that nothing has."""
    numbered = itertools.chain([key], (f"{key} ({number})" for number in itertools.count(2)))
    return next(each for each in numbered if each not in taken)


def _masked_field(text: str, name: str) -> str:
    name = NEW_WORD.sub("_", name)
    if EMAIL_NAME.search(name) and text:
        return _email(text)
    if PHONE_NAME.search(name) and text:
        return _phone(text)
    return _masked_json(text) if text[:1] in ("{", "[") else masked_text(text)


def _masked_json(text: str) -> str:
    try:
        plain = json.loads(text)
    except ValueError:
        return masked_text(text)
    found = masked(plain)
    return text if found == plain else json.dumps(found, ensure_ascii=False)


def _email(text: str) -> str:
    return f"{text[:1]}{MASK}@{MASK}"


def _found_email(found: re.Match[str]) -> str:
    return _email(found[0])


def _phone(text: str) -> str:
    return MASK + text[-2:]


class Hider:
    """An SDK middleware: whoever lacks `scope` is told no address and no number."""

    def __init__(self, scope: str) -> None:
        self._scope = scope

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        from mcp_server.http.context import current_principal  # it imports what tells, and that imports this

        if ctx.method not in METHODS or current_principal().may(self._scope):
            return await call_next(ctx)
        with _hiding():
            try:
                result = await call_next(ctx)
            except MCPError as error:  # the refusal of a resource or a prompt, in its own words
                raise MCPError(error.code, masked_text(error.message), masked(error.data)) from error
        if isinstance(result, BaseModel):
            result = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        return _without_suggestions(result) if ctx.method == COMPLETION else masked(result)


@contextmanager
def _hiding() -> Iterator[None]:
    token = _hidden.set(True)
    try:
        yield
    finally:
        _hidden.reset(token)


def _without_suggestions(result: dict[str, Any] | None) -> dict[str, Any] | None:
    """Values that would be masked are left out: by what they begin with they could be guessed, letter by letter."""
    if result is None:
        return None
    completion = result["completion"]
    values = [each for each in completion["values"] if masked_text(each) == each]
    if len(values) == len(completion["values"]):
        return result
    return {**result, "completion": {"values": values, "total": len(values), "hasMore": False}}
