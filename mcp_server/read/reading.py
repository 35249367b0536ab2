"""Calls the functions of resources, prompts and completions: worker thread, errors, one log record."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, InputRequiredResult

import rls
from mcp_server import workers
from mcp_server.call import sizes
from mcp_server.call.pipeline import Record, Recorded, again, recorded
from mcp_server.errors import Refusal
from rls.backends import lost

P = ParamSpec("P")
T = TypeVar("T")


class NotThere(MCPError):
    """The function refused: what was asked for does not exist, or has other arguments."""


async def read(spec: Recorded, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a worker; one log record.

    Raises MCPError: INVALID_PARAMS with words for the caller, as NotThere where the function itself refuses;
    INTERNAL_ERROR with a reference to the log.
    """
    with _reading(spec):
        return await workers.run(lost.again, functools.partial(function, *args, **kwargs))


async def served(
    spec: Recorded, function: Callable[..., Any], arguments: dict[str, Any], as_answer: Callable[[Any], T]
) -> T | InputRequiredResult:
    """What `as_answer` makes of what a function returns, plain or async; or the question that it returns instead.

    Raises what `read` does. With a plain function, `as_answer` may run a query, as that of a QuerySet.
    """
    call = functools.partial(function, **arguments)
    with _reading(spec) as record:
        if inspect.iscoroutinefunction(function):
            found = _answered(await again(call), as_answer)
        else:
            found = await workers.run(lost.again, lambda: _answered(call(), as_answer))
        if isinstance(found, InputRequiredResult):
            record.outcome = "asked"
        return found


def _answered(found: Any, as_answer: Callable[[Any], T]) -> T | InputRequiredResult:
    return found if isinstance(found, InputRequiredResult) else as_answer(found)


@contextmanager
def _reading(spec: Recorded) -> Iterator[Record]:
    try:
        with recorded(spec) as record, rls.read_only():
            yield record
    except ToolError as error:
        if isinstance(error.__cause__, Refusal):
            raise NotThere(INVALID_PARAMS, sizes.brief(str(error))) from error
        code = INVALID_PARAMS if isinstance(error.__cause__, ToolError) else INTERNAL_ERROR
        raise MCPError(code, sizes.brief(str(error))) from error
