"""The schema of a tool's arguments where it is written by hand, for what annotations can't say.

It is published word for word: clients that keep to a part of JSON Schema (see mcp_server.declare.schemas) have to take
what stands in it.
"""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from mcp_server.declare.registry import place
from mcp_server.declare.schemas import Schema
from mcp_server.declare.tools import ToolSpec

# Characters of a rule that is told.
MAX_RULE_LENGTH = 500


def published(spec: ToolSpec, written: Schema, generated: Schema) -> Schema:
    """What was written, and the parameters that the server adds, as they are in the schema that was generated.

    Raises ImproperlyConfigured: it is no JSON Schema of an object, or names other arguments than the function.
    """
    who = f"tool {spec.name} ({place(spec.function)})"
    try:
        _kind(written).check_schema(written)
    except SchemaError as error:
        raise ImproperlyConfigured(
            f"{who}: its input_schema is no JSON Schema: {error.message}; correct {error.json_path}"
        ) from error
    if written.get("type") != "object":
        raise ImproperlyConfigured(
            f'{who}: its input_schema is not that of an object, as arguments are; write `"type": "object"` in it'
        )
    added = {name: each for name, each in generated.get("properties", {}).items() if name in spec.added}
    named, taken = set(written.get("properties", {})), set(generated.get("properties", {})) - set(added)
    if other := sorted(named ^ taken):
        line = f"{other[0]}: str" if other[0] in named else f'"{other[0]}": {{"type": "string"}}'
        where = "among its parameters" if other[0] in named else "among the properties of its input_schema"
        raise ImproperlyConfigured(
            f"{who}: its input_schema and its parameters differ in {other[0]}; write `{line}` {where}"
        )
    return {**written, "properties": {**written.get("properties", {}), **added}} if added else written


def validator(schema: Schema) -> Validator:
    """What judges arguments by a schema that was written by hand."""
    return _kind(schema)(schema)


def problem(judge: Validator, arguments: Any) -> tuple[str, str] | None:
    """The place of what does not fit, such as "address.street", and the rule that it breaks; None where all fits."""
    error = best_match(judge.iter_errors(arguments))
    if error is None:
        return None
    rule = json.dumps({error.validator: error.validator_value}, ensure_ascii=False)
    return ".".join(map(str, error.absolute_path)), rule[:MAX_RULE_LENGTH]


def _kind(schema: Schema) -> type[Validator]:
    # The specification's default (MCP, "JSON Schema usage").
    kind: type[Validator] = validator_for(schema, default=Draft202012Validator)
    return kind
