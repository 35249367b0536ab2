"""How many rows an answer may have: `@tool(max_rows=...)`.

An answer with more is refused and not cut: who counts or adds up a part of a list takes the figure for that of all.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import InputRequiredResult
from pydantic import BaseModel

from mcp_server import sentences
from mcp_server.call import sizes
from mcp_server.declare.tools import ToolSpec


def within(spec: ToolSpec, value: Any) -> Any:
    """What a tool has returned; of an iterator or a query a list. Raises ToolError: it has more rows than the tool may
    give.

    No more is read than it takes to know.
    """
    if spec.max_rows is None or isinstance(value, InputRequiredResult):
        return value
    if isinstance(value, Iterator):
        value = list(islice(value, spec.max_rows + 1))
    elif isinstance(value, QuerySet):
        value = list(value[: spec.max_rows + 1])
    if row_count(value) > spec.max_rows:
        raise ToolError(_refusal(spec))
    return value


def row_count(value: Any) -> int:
    """How long the longest list of an answer is, in whatever of its objects it lies. Lists in a row do not count."""
    if isinstance(value, str | bytes):
        return 0
    if isinstance(value, Mapping):
        # One with so many names is a list by name (mcp_server.call.sizes).
        of_names = len(value) if len(value) > sizes.MAX_FIELDS else 0
        return max(of_names, _longest(value.values()))
    if isinstance(value, BaseModel):
        return _longest(each for _name, each in value)
    if dataclasses.is_dataclass(value):
        return _longest(getattr(value, field.name) for field in dataclasses.fields(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # a NamedTuple
        return _longest(value)
    return len(value) if isinstance(value, Sized) else 0


def _longest(parts: Iterable[Any]) -> int:
    return max(map(row_count, parts), default=0)


def _refusal(spec: ToolSpec) -> str:
    words = _(
        "This answer has more than {rows} rows, and {tool} gives no more. None is shown, because a part would be taken "
        "for all of them."
    ).format(rows=spec.max_rows, tool=spec.name)
    undone = "" if spec.is_read_only else _("Nothing was changed.")
    parameters = inspect.signature(spec.function).parameters
    if "limit" in parameters and "cursor" in parameters:
        how = sizes.fewer_rows(f"{spec.name} limit={spec.max_rows}")
    else:
        how = sizes.ask_for_less()
    return sentences.joined([words, undone, how])
