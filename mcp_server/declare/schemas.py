"""The JSON Schemas that an endpoint publishes: short, and in words that strict clients take.

Clients turn them into the schemas of a model's maker, and those know less than JSON Schema does: openai-agents leaves
its strict mode for a `$ref` beside other words or alone under `items` and `anyOf`, Gemini knows no `$defs`. So each
definition stands where it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel

Schema = dict[str, Any]

# Of the vocabulary of JSON Schema 2020-12: what holds one schema, a list of them, and them by name.
SCHEMA_WORDS = ("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")
SCHEMA_LIST_WORDS = ("anyOf", "oneOf", "allOf", "prefixItems")
NAMED_SCHEMA_WORDS = ("properties", "patternProperties")

# What is said of an answer: the tool's description has the words, and the server keeps the limits.
ANSWER_WORDS = {"type", "properties", "items", "prefixItems", "anyOf", "allOf", "enum", "const", "additionalProperties"}

NULL = {"type": "null"}


def of_arguments(schema: Schema, *, tool: str) -> Schema:
    """What is published of a tool's parameters. Null, and an empty text where that is short to say, fit what may be
    left out: the server takes both for "not given" (see mcp_server.call.given).

    Raises ImproperlyConfigured: a type holds itself.
    """
    return {**_changed(_inlined(schema, tool), _lenient), "additionalProperties": False}


def of_answer(
    schema: Schema, *, tool: str, said: set[str], model: type[BaseModel] | None, outcome: type[BaseModel] | None
) -> Schema:
    """What is published of a tool's structured content.

    `said` are the definitions that other tools of the endpoint have described, and grows. Of these the kind alone is
    repeated, and of a change nothing that it inherits from them: get_order says what an order is. `model` is the class
    of the answer where it is a pydantic model. `outcome` is what every change says, and None of what only reads.

    Raises ImproperlyConfigured: a type holds itself, or has a field that every change has.
    """
    schema = _changed(_inlined(schema, tool, said), _bare)
    bases = {_name(base): base for base in model.__mro__ if issubclass(base, BaseModel)} if model else {}
    if outcome is not None:
        inherited = {field for name, base in bases.items() if name in said for field in _fields(base)}
        own = schema.get("properties", {})
        kept = {name: each for name, each in own.items() if name not in inherited}
        schema = {**schema, "properties": {**kept, **_of_outcome(own, outcome, tool, said, bases)}}
        said.add(_name(outcome))
    said.update(bases)
    return schema


def _of_outcome(
    own: Schema, outcome: type[BaseModel], tool: str, said: set[str], bases: dict[str, type[BaseModel]]
) -> Schema:
    """What a change says beside its own fields, where its class does not inherit it and no other tool has said it."""
    if _name(outcome) in bases:
        return {}
    if taken := own.keys() & outcome.model_fields:
        raise ImproperlyConfigured(
            f"tool {tool} changes something, and its answer has a field {min(taken)}, which every change has; rename "
            "it, or write `class ...(mcp_server.Change):`"
        )
    if _name(outcome) in said:
        return {}
    properties: Schema = _changed(_inlined(outcome.model_json_schema(mode="serialization"), tool), _bare)["properties"]
    return properties


def _without(schema: Schema, *words: str) -> Schema:
    return {word: rule for word, rule in schema.items() if word not in words}


def _name(model: type[BaseModel]) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def _fields(model: type[BaseModel]) -> set[str]:
    return {*model.model_fields, *model.model_computed_fields}


def _inlined(schema: Schema, tool: str, said: set[str] | None = None) -> Schema:
    definitions = schema.get("$defs", {})

    def inline(part: Schema, within: tuple[str, ...]) -> Schema:
        name = part.get("$ref", "").rpartition("/")[2]
        if name in within:
            raise ImproperlyConfigured(
                f"tool {tool}: {name} holds itself, and clients that take no $ref can't be told so. "
                "Declare as many levels as it needs, or a text."
            )
        beside = _without(part, "$ref", "$defs", "discriminator")
        if not name:
            return _tidy(_each(beside, lambda each: inline(each, within)))
        # What a class says of itself is for those who read the code.
        definition = inline(_without(definitions[name], "description"), (*within, name))
        if said is not None:
            written = json.dumps([name, definitions[name]])
            definition = {"type": definition["type"]} if written in said and "type" in definition else definition
            said.add(written)
        return _tidy({**definition, **beside})

    return inline(schema, ())


def _tidy(schema: Schema) -> Schema:
    """Without the titles that pydantic makes of names, and with null as one of the types."""
    tidy = _without(schema, "title")
    if tidy.get("default", 0) in (None, ""):
        del tidy["default"]
    if "oneOf" in tidy:
        tidy["anyOf"] = tidy.pop("oneOf")
    kinds = tidy.get("anyOf", [])
    if kinds and all(each.keys() == {"type"} and isinstance(each["type"], str) for each in kinds):
        del tidy["anyOf"]
        return {**tidy, "type": [each["type"] for each in kinds]}
    others = [each for each in kinds if each != NULL]
    if len(kinds) == 2 and len(others) == 1 and isinstance(others[0].get("type"), str) and "enum" not in others[0]:
        del tidy["anyOf"]
        return {**others[0], **tidy, "type": [others[0]["type"], "null"]}
    return tidy


def _lenient(schema: Schema) -> Schema:
    required = schema.get("required", ())
    properties = {
        name: each if name in required else _or_nothing(each) for name, each in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties} if properties else schema


def _or_nothing(schema: Schema) -> Schema:
    """The same for a value that may be left out."""
    if "anyOf" in schema or "enum" in schema or "const" in schema:
        beside: Schema = {word: schema[word] for word in ("default", "description") if word in schema}
        kinds = schema.get("anyOf") or [_without(schema, *beside)]
        return {"anyOf": kinds if NULL in kinds else [*kinds, NULL], **beside}
    if "type" not in schema:
        return schema
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    lenient = {**schema, "type": kinds if "null" in kinds else [*kinds, "null"]}
    if "string" in kinds:
        lenient.pop("minLength", None)
        if (pattern := schema.get("pattern")) and not re.search(pattern, ""):
            lenient["pattern"] = f"^$|{pattern}"
    return lenient


def _bare(schema: Schema) -> Schema:
    # What `additionalProperties` forbids is left out: that something was cut is said in the answer.
    return {word: rule for word, rule in schema.items() if word in ANSWER_WORDS and not isinstance(rule, bool)}


def _changed(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """The schema with each part of it changed, the inner ones first."""
    return change(_each(schema, lambda part: _changed(part, change)))


def _each(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """The schema with the parts that it holds changed, and nothing that only looks like a part."""
    changed = dict(schema)
    for word, rule in schema.items():
        if word in SCHEMA_WORDS and isinstance(rule, dict):
            changed[word] = change(rule)
        elif word in SCHEMA_LIST_WORDS:
            changed[word] = [change(each) for each in rule]
        elif word in NAMED_SCHEMA_WORDS:
            changed[word] = {name: change(each) for name, each in rule.items()}
    return changed
