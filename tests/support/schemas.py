"""Hypothesis strategies for the JSON Schemas that tools publish: the part of the vocabulary that they use.

A keyword that is not known here is an error, so a new kind of parameter is never tried on half of its values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]
Strategy = st.SearchStrategy[Any]

# Words about a schema, which allow and forbid nothing.
NOTES = {"title", "description", "default", "examples"}
# What JSON can carry and a program may trip over: the ends of Unicode, other scripts. Not NUL, which every text is
# refused for, in words, and no schema says (tests/mcp_server/test_given.py).
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


def values(schema: Schema) -> Strategy:
    """Values that the schema allows."""
    rules = {word: rule for word, rule in schema.items() if word not in NOTES}
    if "enum" in rules:
        return st.sampled_from(rules["enum"])
    if "const" in rules:
        return st.just(rules["const"])
    if "anyOf" in rules:
        return st.one_of([values(each) for each in rules["anyOf"]])
    kinds = rules.pop("type")
    if isinstance(kinds, str):
        return KINDS[kinds](rules)
    assert rules.keys() <= set().union(*(WORDS[kind] for kind in kinds)), rules
    return st.one_of(
        [KINDS[kind]({word: rule for word, rule in rules.items() if word in WORDS[kind]}) for kind in kinds]
    )


def objects(rules: Schema) -> Strategy:
    properties = {name: values(each) for name, each in rules.pop("properties", {}).items()}
    required = set(rules.pop("required", ()))
    assert rules in ({}, {"additionalProperties": False}), rules
    return st.fixed_dictionaries(
        {name: each for name, each in properties.items() if name in required},
        optional={name: each for name, each in properties.items() if name not in required},
    )


def arrays(rules: Schema) -> Strategy:
    least, most = rules.pop("minItems", 0), rules.pop("maxItems", 5)
    items = values(rules.pop("items"))
    assert not rules, rules
    return st.lists(items, min_size=least, max_size=min(most, least + 5))


def strings(rules: Schema) -> Strategy:
    least, most, pattern = rules.pop("minLength", 0), rules.pop("maxLength", None), rules.pop("pattern", None)
    assert not rules, rules
    plain = st.text(CHARACTERS, min_size=least, max_size=most)
    if pattern is None:
        return plain
    # In JSON Schema `$` is the end; in Python it stands before a last line feed too.
    fits = re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)
    made = st.from_regex(fits).filter(lambda text: least <= len(text) <= (most or len(text)))
    # Where plain text mostly fits, it is the wider choice.
    wide = fits.fullmatch("é \n") is not None
    return plain.filter(lambda text: fits.search(text) is not None) if wide else made


def integers(rules: Schema) -> Strategy:
    least, most = rules.pop("minimum", None), rules.pop("maximum", None)
    assert not rules, rules
    return st.integers(least, most)


def numbers(rules: Schema) -> Strategy:
    assert not rules, rules
    return st.floats(allow_nan=False, allow_infinity=False)


# What limits values of each kind, where a schema allows several.
WORDS = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"minLength", "maxLength", "pattern"},
    "integer": {"minimum", "maximum"},
    "number": set[str](),
    "boolean": set[str](),
    "null": set[str](),
}
KINDS: dict[str, Callable[[Schema], Strategy]] = {
    "object": objects,
    "array": arrays,
    "string": strings,
    "integer": integers,
    "number": numbers,
    "boolean": lambda rules: st.booleans(),
    "null": lambda rules: st.none(),
}
