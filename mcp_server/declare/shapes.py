"""What a tool's function returns, by its annotation: what is published of it, and how it becomes structured content."""

from __future__ import annotations

import functools
import inspect
import json
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any

from django.core.exceptions import ImproperlyConfigured
from mcp.server.mcpserver import Audio, Context, Image
from mcp_types import (
    AudioContent,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    ResourceLink,
    TextContent,
)
from pydantic import BaseModel, PydanticUserError, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema

from mcp_server.declare.registry import place
from mcp_server.declare.schemas import Schema

# What is content of the protocol already, or a whole result; the SDK's Image and Audio become content.
CONTENT = (TextContent, ImageContent, AudioContent, EmbeddedResource, ResourceLink, Image, Audio, CallToolResult)
# What reading an annotation raises that is a text: a name that is not there, and what is no type.
UNREADABLE = (NameError, AttributeError, SyntaxError, TypeError)
# The one name in the structured content of what is no object: a list, a number, one of several types.
RESULT = "result"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a function returns. `schema` is None for a text, and for content: there is no structured content then."""

    annotation: Any
    schema: Schema | None
    adapter: TypeAdapter[Any] | None
    is_wrapped: bool = False

    @property
    def model(self) -> type[BaseModel] | None:
        """The class of the answer where it is a pydantic model."""
        is_model = isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel)
        return self.annotation if is_model and self.schema is not None else None

    def structured(self, value: Any) -> dict[str, Any]:
        """The structured content. Raises ValidationError: the value is none of what the annotation says."""
        if self.adapter is None:
            raise TypeError("a text and content have no structured content")
        plain = self.adapter.dump_python(self.adapter.validate_python(value), mode="json", by_alias=True)
        return {RESULT: plain} if self.is_wrapped else plain


@functools.cache
def of(function: Callable[..., Any]) -> Shape:
    """The shape of what a function returns.

    Raises ImproperlyConfigured: it has no schema, or a name in its annotations can't be found.
    """
    annotation = without_rounds(hints(function)["return"])
    kinds = set(_kinds(annotation))
    if kinds <= {str, NoneType} or kinds & set(CONTENT):
        return Shape(annotation, None, None)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        schema = adapter.json_schema(mode="serialization")
    except (PydanticUserError, PydanticInvalidForJsonSchema, TypeError) as error:
        raise _unfit(function, annotation, str(error).splitlines()[0]) from error
    if kinds & {Any, object}:
        raise _unfit(function, annotation, "it may be anything")
    if '"format": "binary"' in json.dumps(schema):
        raise _unfit(function, annotation, "JSON has no bytes: return Image or Audio, or type them as Base64Bytes")
    if _kind(schema) == "object":
        return Shape(annotation, schema, adapter)
    definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
    wrapped = {"type": "object", "properties": {RESULT: schema}, "required": [RESULT], **definitions}
    return Shape(annotation, wrapped, adapter, is_wrapped=True)


def hints(function: Callable[..., Any], kind: str = "tool") -> dict[str, Any]:
    """The annotations of a function. Raises ImproperlyConfigured: one of them can't be read."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except UNREADABLE as error:
        raise _unreadable(function, kind) from error


def asks_by_itself(function: Callable[..., Any]) -> bool:
    """Whether a function may return a question of its own (MCP specification, "Multi round-trip requests")."""
    annotation = hints(function)["return"]
    return annotation is InputRequiredResult or InputRequiredResult in typing.get_args(annotation)


@functools.cache
def context_parameter(function: Callable[..., Any], kind: str = "tool") -> str | None:
    """The parameter that takes the SDK's Context, which is given and not published."""
    return next((name for name, hint in hints(function, kind).items() if name != "return" and _is_context(hint)), None)


def _is_context(hint: Any) -> bool:
    kinds = [hint] if isinstance(hint, type) else typing.get_args(hint)
    return any(isinstance(kind, type) and issubclass(kind, Context) for kind in kinds)


def without_rounds(annotation: Any) -> Any:
    """Without InputRequiredResult, which is no answer but a question."""
    parts = typing.get_args(annotation)
    if InputRequiredResult not in parts:
        return None if annotation is InputRequiredResult else annotation
    others = tuple(each for each in parts if each is not InputRequiredResult)
    return typing.Union[others]  # noqa: UP007  (of as many as there are)


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types in a union or a list, for what is content; else the type itself."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    inner = [kind for each in parts for kind in _kinds(each)]
    if origin is Annotated:
        yield from _kinds(parts[0])
    elif origin in (typing.Union, types.UnionType) or (origin in (list, tuple) and set(inner) & set(CONTENT)):
        yield from inner
    else:
        yield NoneType if annotation is None else origin or annotation


def _kind(schema: Schema) -> object:
    name = schema.get("$ref", "").rpartition("/")[2]
    return schema["$defs"][name].get("type") if name else schema.get("type")


def _unreadable(function: Callable[..., Any], kind: str) -> ImproperlyConfigured:
    """The error for the first annotation that can't be read."""
    who = f"{kind} {function.__name__} ({place(function)})"
    # A decorator's names are those of another module.
    names = inspect.unwrap(function).__globals__
    for name, annotation in function.__annotations__.items():
        try:
            typing.get_type_hints(types.SimpleNamespace(__annotations__={name: annotation}), names)
        except UNREADABLE as error:
            where = "what it returns" if name == "return" else f"its parameter {name}"
            line = f"`{name}: str`, or the type that it is"
            if isinstance(error, NameError):
                line = (
                    f"`import {error.name}` or where it is from, outside of `if TYPE_CHECKING:` and above the function"
                )
            elif name == "return":
                line = f"`def {function.__name__}(...) -> str:`, or the class of its answer"
            return ImproperlyConfigured(
                f"{who} has an annotation that can't be read, that of {where}: {error}; write {line}"
            )
    raise LookupError(who)


def _unfit(function: Callable[..., Any], annotation: Any, why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"tool {function.__name__} ({place(function)}) returns {annotation!r}, which has no schema ({why}); return a "
        f"dataclass, a pydantic model, a TypedDict, a list of these, or a text: write `def {function.__name__}(...) -> "
        "list[Row]:`"
    )
