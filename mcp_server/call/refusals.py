"""Words for calls that no function gets to see, in the caller's language."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError

from mcp_server import sentences

# Problems of one call that are named; more of them would help nobody, and a call can hold a hundred thousand.
MAX_PROBLEMS = 10
# Characters of what a client has made up: enough to know it again.
MAX_NAME_LENGTH = 64

# By the type of an error (pydantic, "Validation Errors").
PROBLEM_TEXTS = {
    "missing": _("Field required"),
    "extra_forbidden": _("Extra inputs are not permitted"),
    "int_type": _("Input should be a valid integer"),
    "int_parsing": _("Input should be a valid integer"),
    "int_parsing_size": _("Input should be a smaller integer"),
    "int_from_float": _("Input should be a valid integer, without a fraction"),
    "float_type": _("Input should be a valid number"),
    "float_parsing": _("Input should be a valid number"),
    "decimal_type": _("Input should be a valid number"),
    "decimal_parsing": _("Input should be a valid number"),
    "finite_number": _("Input should be a finite number"),
    "bool_type": _("Input should be true or false"),
    "bool_parsing": _("Input should be true or false"),
    "string_type": _("Input should be a valid string"),
    "string_too_short": _("String should have at least {min_length} characters"),
    "string_too_long": _("String should have at most {max_length} characters"),
    "string_pattern_mismatch": _("String should match pattern '{pattern}'"),
    "nul": _("A text must not contain NUL (U+0000)"),
    "half_character": _("A text must not contain half a character (U+D800 to U+DFFF)"),
    "no_boolean": _("Input should be a number, not true or false"),
    "no_room": _("Input should be a number between -2^63 and 2^63-1"),
    "rule": _("Input should fit {rule}"),
    "enum": _("Input should be {expected}"),
    "literal_error": _("Input should be {expected}"),
    "greater_than": _("Input should be greater than {gt}"),
    "greater_than_equal": _("Input should be greater than or equal to {ge}"),
    "less_than": _("Input should be less than {lt}"),
    "less_than_equal": _("Input should be less than or equal to {le}"),
    "multiple_of": _("Input should be a multiple of {multiple_of}"),
    "too_short": _("Input should have at least {min_length} items"),
    "too_long": _("Input should have at most {max_length} items"),
    "list_type": _("Input should be a list"),
    "tuple_type": _("Input should be a list"),
    "set_type": _("Input should be a list"),
    "dict_type": _("Input should be an object"),
    "model_type": _("Input should be an object"),
    "model_attributes_type": _("Input should be an object"),
    "dataclass_type": _("Input should be an object"),
    "date_type": _("Input should be a date such as 2026-11-23"),
    "date_parsing": _("Input should be a date such as 2026-11-23"),
    "date_from_datetime_parsing": _("Input should be a date such as 2026-11-23"),
    "datetime_type": _("Input should be a time such as 2026-11-23T14:30:00+08:00"),
    "datetime_parsing": _("Input should be a time such as 2026-11-23T14:30:00+08:00"),
    "datetime_from_date_parsing": _("Input should be a time such as 2026-11-23T14:30:00+08:00"),
    "uuid_type": _("Input should be a UUID"),
    "uuid_parsing": _("Input should be a UUID"),
}
# Problems that are found in all the arguments at once, and so say where.
MISFITS = ("nul", "half_character", "no_boolean", "no_room", "rule")


def no_such_tool(name: str, known: Collection[str]) -> str:
    """That there is no tool of this name, and which there are."""
    if not known:
        return _("There is no tool {name}, and no other for you.").format(name=short(name))
    words = _("There is no tool {name}. Call one of: {names}.")
    return sentences.joined([words.format(name=short(name), names=", ".join(known)), _meant(name, known)])


def no_such_prompt(name: str, known: Collection[str]) -> str:
    """The same of a prompt."""
    words = _("There is no prompt {name}. Get one of: {names}.")
    return sentences.joined([words.format(name=short(name), names=", ".join(known)), _meant(name, known)])


def unknown(name: str, given: Iterable[str], known: Collection[str]) -> str | None:
    """Which of the names that were given are none of those that are known; None where all are."""
    strange = sorted(set(given) - set(known))[:MAX_PROBLEMS]
    if not strange:
        return None
    refused = _("{name} does not take {names}.").format(name=name, names=", ".join(map(repr, map(short, strange))))
    takes = _("Its arguments are: {names}. Call it again without the others.").format(names=", ".join(known))
    return sentences.joined([refused, takes, *(_meant(each, known) for each in strange)])


def unfit(name: str, error: ValidationError) -> str:
    """What about the arguments does not fit."""
    problems = error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]
    return _explained(name, [(_place(each), _words(each)) for each in problems])


def no_room(name: str, place: str) -> str:
    """That a number is larger than any that can be meant."""
    return _explained(name, [(place, str(PROBLEM_TEXTS["no_room"]))])


def short(name: str) -> str:
    """The beginning of a name that a client has made up."""
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[:MAX_NAME_LENGTH]}…"


def _explained(name: str, problems: Iterable[tuple[str, str]]) -> str:
    shown = _("; ").join(_("{argument}: {problem}").format(argument=place, problem=words) for place, words in problems)
    words = _("The arguments of {name} are not valid: {problems}. Correct them and call it again.")
    return words.format(name=name, problems=shown)


def _place(problem: Any) -> str:
    # What is no fit, and what a schema by hand forbids, are found in all the arguments at once.
    location = problem["ctx"]["place"].split(".") if problem["type"] in MISFITS else problem["loc"]
    return ".".join(short(str(each)) for each in location) or "arguments"


def _words(problem: Any) -> str:
    context = problem.get("ctx", {})
    if problem["type"] in ("value_error", "assertion_error"):
        return str(context["error"])
    if problem["type"] not in PROBLEM_TEXTS:
        return _("Input is not valid ({kind})").format(kind=problem["type"])
    if "expected" in context:
        context = {**context, "expected": context["expected"].replace(" or ", str(_(" or ")))}
    return str(PROBLEM_TEXTS[problem["type"]]).format(**context)


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[:MAX_NAME_LENGTH], known, n=1)
    return _("Did you mean {name}?").format(name=repr(close[0])) if close else ""
