"""What stands between the protocol and a function whose answer a client reads: a resource, a prompt, a completion."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from core.errors import DomainError
from mcp_server import workers
from mcp_server.hook import Recorded, recorded
from rls import lost

P = ParamSpec("P")
T = TypeVar("T")


async def read(spec: Recorded, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a worker, where the token has the scope; one log record.

    Raises MCPError: INVALID_PARAMS with words for the caller, INTERNAL_ERROR with a reference to the log.
    """
    try:
        with recorded(spec):
            return await workers.run(lost.again, functools.partial(function, *args, **kwargs))
    except ToolError as error:
        is_refused = isinstance(error.__cause__, DomainError | ToolError)
        raise MCPError(INVALID_PARAMS if is_refused else INTERNAL_ERROR, str(error)) from error
