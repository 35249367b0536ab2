"""Calls the functions of resources, prompts and completions: scope, worker thread, errors, one log record."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

import rls
from mcp_server import workers
from mcp_server.call import sizes
from mcp_server.call.pipeline import Recorded, recorded
from mcp_server.errors import Refusal
from rls.backends import lost

P = ParamSpec("P")
T = TypeVar("T")


class NotThere(MCPError):
    """The function refused: what was asked for does not exist, or has other arguments."""


async def read(spec: Recorded, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a worker, where the token has the scope; one log record.

    Raises MCPError: INVALID_PARAMS with words for the caller, as NotThere where the function itself refuses;
    INTERNAL_ERROR with a reference to the log.
    """
    try:
        with recorded(spec), rls.read_only():
            return await workers.run(lost.again, functools.partial(function, *args, **kwargs))
    except ToolError as error:
        if isinstance(error.__cause__, Refusal):
            raise NotThere(INVALID_PARAMS, sizes.brief(str(error))) from error
        code = INVALID_PARAMS if isinstance(error.__cause__, ToolError) else INTERNAL_ERROR
        raise MCPError(code, sizes.brief(str(error))) from error
