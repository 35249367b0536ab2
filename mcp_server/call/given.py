"""What a client has given: without what it sends for arguments that it has no value for.

Clients fill in forms. For what may be left out they send null, an empty text, list or object, and to a tool that takes
nothing something that they make up: `random_string`, `sessionId`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from mcp_server.declare.schemas import Schema
from mcp_server.texts import UNSTORABLE

# What a bigint holds (PostgreSQL, 8.1.1).
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
# The kinds of values that a form sends an empty text for, and what else is empty.
TEXT_KINDS = ("string", "integer", "number")
# What is read as an integer out of a text.
INTEGER = re.compile(r"[+-]?[0-9_]+(\.0*)?")
EMPTY_VALUES: dict[str, object] = {"array": [], "object": {}}


def of(schema: Schema, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments for a tool that publishes this schema."""
    return _filled(schema, arguments) if schema.get("properties") else {}


async def forms(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """An SDK middleware: null for an argument of a prompt or a completion is as if it were not given.

    The protocol has no place for it there, so the SDK refuses it.
    """
    params = dict(ctx.params or {})
    if ctx.method == "prompts/get" and "arguments" in params:
        params["arguments"] = _without_nulls(params["arguments"])
    elif ctx.method == "completion/complete":
        if isinstance(params.get("argument"), dict):
            params["argument"] = {"value": "", **_without_nulls(params["argument"])}
        if isinstance(params.get("context"), dict):
            params["context"] = {name: _without_nulls(each) for name, each in params["context"].items()}
    else:
        return await call_next(ctx)
    return await call_next(replace(ctx, params=params))


def is_blank(value: object, schema: Schema | None = None) -> bool:
    """Whether it stands for nothing, of what this schema describes: null, or what is empty of its kind.

    White space is, for a text and for a number. For true or false only null is: an empty `dry_run` is no order to make
    the change.
    """
    if value is None:
        return True
    kinds = set(_kinds(schema or {}))
    if isinstance(value, str):
        return not value.strip() and "boolean" not in kinds and (not kinds or not kinds.isdisjoint(TEXT_KINDS))
    return any(value == empty and (not kinds or kinds - {"null"} == {kind}) for kind, empty in EMPTY_VALUES.items())


def out_of_range(schema: Schema, value: object, at: tuple[str, ...] = ()) -> str | None:
    """The place of the first number that JSON or the database has no room for, such as "items.0.quantity"."""
    if isinstance(value, dict):
        inner = ((schema.get("properties", {}).get(name, {}), each, name) for name, each in value.items())
    elif isinstance(value, list):
        inner = ((schema.get("items", {}), each, str(number)) for number, each in enumerate(value))
    elif isinstance(value, float):
        return None if math.isfinite(value) else ".".join(at)
    else:
        is_large = isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER
        return ".".join(at) if is_large and "number" not in _kinds(schema) else None
    found = (out_of_range(part, each, (*at, name)) for part, each, name in inner)
    return next((place for place in found if place is not None), None)


class Misfit(NamedTuple):
    """A value that is no fit though pydantic takes it: its place, and the type of the error (see call.refusals)."""

    place: str
    problem: str


def misfit(schema: Schema, value: object, at: tuple[str, ...] = ()) -> Misfit | None:
    """The first value that a function or the database would choke on, or take for another one.

    A text with NUL or half a character, which no text of PostgreSQL holds (8.3); true and false for a number, which
    Python takes for 1 and 0; a text that is read as a number the database has no room for.
    """
    problem = _problem(_kinds(schema), value)
    if problem:
        return Misfit(".".join(at), problem)
    inner: Iterable[tuple[str, object]] = ()
    if isinstance(value, dict):
        if strange := next((name for name in value if UNSTORABLE.search(name)), None):
            shown = strange.replace("\0", "\\0").encode(errors="backslashreplace").decode()
            return Misfit(".".join((*at, shown)), _problem([], strange))
        inner = value.items()
    elif isinstance(value, list):
        inner = ((str(number), each) for number, each in enumerate(value))
    return next((found for name, each in inner if (found := misfit(_part(schema, name), each, (*at, name)))), None)


def _problem(kinds: list[str], value: object) -> str:
    """The type of what is wrong with a value of one of these kinds; '' where nothing is."""
    if isinstance(value, bool):
        return "no_boolean" if kinds and not {"integer", "number"}.isdisjoint(kinds) and "boolean" not in kinds else ""
    if not isinstance(value, str):
        return ""
    if found := UNSTORABLE.search(value):
        return "nul" if found[0] == "\0" else "half_character"
    is_number = "integer" in kinds and "string" not in kinds and INTEGER.fullmatch(value.strip())
    return "no_room" if is_number and not MIN_INTEGER <= Decimal(value.strip()) <= MAX_INTEGER else ""


def _alternatives(schema: Schema) -> Iterator[Schema]:
    yield schema
    for each in schema.get("anyOf", ()):
        yield from _alternatives(each)


def _part(schema: Schema, name: str) -> Schema:
    """What describes the value at a name or a number in what this schema describes, in any of its alternatives."""
    found: list[Schema] = []
    for each in _alternatives(schema):
        if name in each.get("properties", {}):
            found.append(each["properties"][name])
        found += [each[word] for word in ("items", "additionalProperties") if isinstance(each.get(word), dict)]
        found += each.get("prefixItems", ())
    return {"anyOf": found}


def _filled(schema: Schema, value: Any) -> Any:
    if isinstance(value, list):
        return [_filled(schema.get("items", {}), each) for each in value]
    properties = schema.get("properties")
    if not isinstance(value, dict) or properties is None:
        return value
    required = schema.get("required", ())
    return {
        name: _filled(properties.get(name, {}), each)
        for name, each in value.items()
        if name in required or name not in properties or not is_blank(each, properties[name])
    }


def _without_nulls(value: Any) -> Any:
    return {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else value


def _kinds(schema: Schema) -> list[str]:
    """The types that a value may have."""
    kinds = schema.get("type", [])
    return (
        [kinds]
        if isinstance(kinds, str)
        else [*kinds, *(kind for each in schema.get("anyOf", ()) for kind in _kinds(each))]
    )
