"""What a client has given: without what it sends for arguments that it has no value for.

Clients fill in forms. For what may be left out they send null, an empty text, list or object, and to a tool that takes
nothing something that they make up: `random_string`, `sessionId`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from mcp_server.declare.schemas import Schema

# What a bigint holds (PostgreSQL, 8.1.1).
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
# The kinds of values that a form sends an empty text for, and what else is empty.
TEXT_KINDS = ("string", "integer", "number")
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


def with_nul(value: object, at: tuple[str, ...] = ()) -> str | None:
    """The place of the first text with a NUL, the one character that no text of PostgreSQL holds (8.3)."""
    if isinstance(value, str):
        return ".".join(at) if "\0" in value else None
    inner: Iterable[tuple[str, object]] = ()
    if isinstance(value, dict):
        if strange := next((name for name in value if "\0" in name), None):
            return ".".join((*at, strange.replace("\0", "\\0")))
        inner = value.items()
    elif isinstance(value, list):
        inner = ((str(number), each) for number, each in enumerate(value))
    return next((place for name, each in inner if (place := with_nul(each, (*at, name))) is not None), None)


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
