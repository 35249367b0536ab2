"""Arguments that fit a schema, for showing how a tool is called."""

from __future__ import annotations

import math
import re
from typing import Any

from mcp_server.declare.schemas import Schema

# By the `format` of a text (JSON Schema Validation, section 7.3).
FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T09:00:00+00:00",
    "time": "09:00:00",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
# What fits most patterns that people write.
SAMPLES = ("1", "a", "A", "example", "2026-01", "2026-01-31", "09:00", "ada@example.com")


def arguments(schema: Schema) -> dict[str, Any]:
    """A value for each argument that has to be given; an empty dict where none has to."""
    properties = schema.get("properties", {})
    return {name: value(properties.get(name, {}), name) for name in schema.get("required", ())}


def value(schema: Schema, name: str) -> Any:
    """A value that fits the schema of the argument with this name."""
    for known in ("const", "default"):
        if schema.get(known) is not None:
            return schema[known]
    for several in ("examples", "enum"):
        if schema.get(several):
            return schema[several][0]
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return value(next(each for each in schema[several] if each.get("type") != "null"), name)
    kinds = schema.get("type", "string")
    return _of_kind(
        next(each for each in ([kinds] if isinstance(kinds, str) else kinds) if each != "null"), schema, name
    )


def _of_kind(kind: str, schema: Schema, name: str) -> Any:
    match kind:
        case "boolean":
            return True
        case "integer" | "number":
            return _number(schema)
        case "array":
            return [value(schema.get("items", {}), name)] * max(1, schema.get("minItems", 1))
        case "object":
            return arguments(schema)
        case _:
            return _text(schema, name)


def _text(schema: Schema, name: str) -> str:
    usual = FORMATS.get(schema.get("format", ""), f"<{name}>")
    found = next((each for each in (usual, *SAMPLES) if re.search(schema.get("pattern", ""), each)), usual)
    return found.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]


def _number(schema: Schema) -> float:
    least = schema["exclusiveMinimum"] + 1 if "exclusiveMinimum" in schema else schema.get("minimum", -math.inf)
    most = schema["exclusiveMaximum"] - 1 if "exclusiveMaximum" in schema else schema.get("maximum", math.inf)
    return 1 if least <= 1 <= most else least if math.isfinite(least) else most
