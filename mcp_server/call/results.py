"""What a tool has returned, as the result of its call: structured content for programs, text for people.

Some clients show a model the one, some the other: each says everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Any

from django.utils.translation import gettext as _
from mcp.server.mcpserver import Audio, Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    ResourceLink,
    TextContent,
)
from pydantic_core import to_json

from mcp_server.call import sizes, units
from mcp_server.declare.shapes import RESULT, Shape
from mcp_server.declare.tools import Answer, Outcome

INDENT = "  "
BLOCKS = (TextContent, ImageContent, AudioContent, EmbeddedResource, ResourceLink)


def of(
    shape: Shape, value: Any, *, before: Sequence[str] = (), after: Sequence[str] = (), outcome: Outcome | None = None
) -> CallToolResult | InputRequiredResult:
    """The result. A question passes as it is, and so does what is a result already, where nothing is added to it.

    Args:
        before, after: lines that stand around its text.
        outcome: what is said of a change.

    Raises ToolError: JSON can't carry it. ValidationError: it is none of what the function says that it returns.
    """
    if isinstance(value, InputRequiredResult):
        return value
    if shape.schema is None:
        result = _of_content(shape, value, [*before], [*after])
        _class_of(result.content, result.structured_content)
        return result
    if outcome is not None and isinstance(value, Outcome):
        value, outcome = value.model_copy(update=outcome.model_dump(exclude_unset=True)), None
    structured = _structured(shape, value, outcome)
    texts = [*before, *_text(shape, value, structured), *after, *filter(None, [units.note(value)])]
    is_apart = getattr(value, "is_verbatim", False) is True
    content = [_block(each) for each in (texts if is_apart else ["\n".join(texts)])]
    return _class_of(content, structured)(content=content, structured_content=structured)


def is_error(value: object) -> bool:
    """Whether what a tool has returned says itself that the tool has failed."""
    return isinstance(value, CallToolResult) and bool(value.is_error)


def lines(value: Any) -> Iterator[str]:
    """JSON values as lines that people read: "name: value", and what is inside indented."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _named(name, each)
    elif isinstance(value, list):
        for each in value:
            first, *others = list(lines(each)) or [_("none")]
            yield f"- {first}"
            yield from (INDENT + line for line in others)
    else:
        yield from _word(value).splitlines() or [""]


def _named(name: str, value: Any) -> Iterator[str]:
    inside = list(lines(value))
    if value not in ({}, []) and (isinstance(value, dict | list) or len(inside) > 1):
        yield f"{name}:"
        yield from (INDENT + line for line in inside)
    else:
        yield f"{name}: {inside[0] if inside else _('none')}"


def _word(value: Any) -> str:
    if value is None:
        return _("none")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)


def _of_content(shape: Shape, value: Any, before: list[str], after: list[str]) -> CallToolResult:
    """A text, or content of the protocol, in its order."""
    if isinstance(value, str) or value is None:
        nothing = _("It is done.") if shape.annotation in (None, NoneType) else _("none")
        text = nothing if value is None else str(value)
        return CallToolResult(content=[_block("\n".join([*before, text, *after]))])
    added = [_block("\n".join([*before, *after]))] if before or after else []
    if isinstance(value, CallToolResult):
        return value.model_copy(update={"content": [*value.content, *added]})
    each = value if isinstance(value, list | tuple) else [value]
    return CallToolResult(content=[*map(_block, each), *added])


def _block(value: Any) -> ContentBlock:
    if isinstance(value, Image):
        return value.to_image_content()
    if isinstance(value, Audio):
        return value.to_audio_content()
    return value if isinstance(value, BLOCKS) else TextContent(type="text", text=str(value))


def _structured(shape: Shape, value: Any, outcome: Outcome | None) -> dict[str, Any]:
    # An Answer is valid as it is.
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, Answer) else shape.structured(value)
    return plain if outcome is None else plain | outcome.model_dump(mode="json")


def _class_of(content: Sequence[ContentBlock], structured: dict[str, Any] | None) -> type[CallToolResult]:
    """The class for a result of these, which are written once. It is tried before a change is committed: after it the
    client would be told of an error.
    """
    texts = [block.text for block in content if isinstance(block, TextContent)]
    try:
        written = to_json([texts, structured], inf_nan_mode="constants")
        if any(word in written for word in (b"NaN", b"Infinity")):  # a number, or a text that says so
            sizes.as_json(structured)
    except ValueError as error:
        words = _("The answer has what JSON can't carry: infinity, NaN, or half of a character. Nothing was changed.")
        raise ToolError(words) from error
    return sizes.ShortResult if len(written) <= sizes.MAX_TOKENS else CallToolResult


def _text(shape: Shape, value: Any, structured: dict[str, Any]) -> list[str]:
    """What people read of it: its own text where its class has one."""
    if callable(text := getattr(value, "text", None)):
        return [str(text())]
    if shape.is_wrapped:
        return list(lines(structured[RESULT])) or [_("none")]
    own = {name: each for name, each in structured.items() if name not in Outcome.model_fields}
    return list(lines(own)) or [_("none")]
