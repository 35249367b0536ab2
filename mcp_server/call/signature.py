"""Types of parameters that many tools take, and those that are added to a tool."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from inspect import Parameter, Signature
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_server.declare import shapes
from mcp_server.declare.mistakes import CONTEXT

# What these are is said once, in mcp_server.instructions.
MAX_ROWS = 100
Limit = Annotated[int, Field(ge=1, le=MAX_ROWS)]
Cursor = Annotated[str | None, Field(max_length=500)]

REASON = Annotated[str, Field(max_length=500, description="Where it is missing, the person is asked.")]
IDEMPOTENCY_KEY = Annotated[str | None, Field(min_length=1, max_length=200)]
DRY_RUN = bool
CONFIRMATION = Annotated[str | None, Field(max_length=500)]


# The parameters that the call pipeline adds: name to (annotation, default).
ADDED: dict[str, tuple[Any, Any]] = {
    "reason": (REASON, ""),
    "idempotency_key": (IDEMPOTENCY_KEY, None),
    "dry_run": (DRY_RUN, False),
    "confirmation": (CONFIRMATION, None),
}


def declare(function: Callable[..., Any], like: Callable[..., Any], added: Iterable[str]) -> None:
    """Give `function` the parameters of `like` that a client fills, and after them the added ones and the context.

    Schemas are made from a signature, and the SDK reads annotations beside it: both are set. What `like` returns is
    published without the SDK's help.
    """
    hints = shapes.hints(like)
    given = shapes.context_parameter(like)
    parameters = [
        *(
            parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY)
            for name, parameter in inspect.signature(like).parameters.items()
            if name != given
        ),
        *(Parameter(name, Parameter.KEYWORD_ONLY, annotation=ADDED[name][0], default=ADDED[name][1]) for name in added),
        Parameter(CONTEXT, Parameter.KEYWORD_ONLY, annotation=Context[Any, Any]),
    ]
    function.__signature__ = Signature(  # type: ignore[attr-defined]  # read by inspect.signature
        parameters, return_annotation=CallToolResult
    )
    function.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": CallToolResult}
