"""Types of parameters that many tools take, and those that the call pipeline adds to a tool."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Annotated, Any

from pydantic import Field

# PostgreSQL's text holds every character but this one.
NO_NUL = r"^[^\u0000]*$"

# What these are is said once, in mcp_server.instructions.
MOST_ROWS = 100
Limit = Annotated[int, Field(ge=1, le=MOST_ROWS)]
Cursor = Annotated[str | None, Field(max_length=500)]

REASON = Annotated[str, Field(max_length=500, pattern=NO_NUL, description="Where it is missing, the person is asked.")]
IDEMPOTENCY_KEY = Annotated[str | None, Field(min_length=1, max_length=200, pattern=NO_NUL)]
DRY_RUN = bool
CONFIRMATION = Annotated[str | None, Field(max_length=500)]


def declare(function: Callable[..., Any], like: Callable[..., Any], added: dict[str, tuple[Any, Any]]) -> None:
    """Give `function` the parameters of `like`, and after them the added ones: name to (annotation, default).

    It is also said to return what `like` returns. Schemas are made from a signature, and the SDK reads annotations
    beside it: both are set.
    """
    hints = typing.get_type_hints(like, include_extras=True)
    returned = hints.pop("return")
    parameters = [
        parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(like).parameters.items()
    ] + [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in added.items()
    ]
    function.__signature__ = Signature(  # type: ignore[attr-defined]  # read by inspect.signature
        parameters, return_annotation=returned
    )
    function.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": returned}
