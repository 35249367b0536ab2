"""`@resource`: what makes a function a resource of tenants."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from mcp.shared.uri_template import UriTemplate
from pydantic_core import to_json

from mcp_server.declare import shapes, templates
from mcp_server.declare.arguments import Argument, Parameters, Words, description_of, title_of
from mcp_server.declare.registry import DECLARED, Spec, place
from mcp_server.declare.tools import Answer
from mcp_server.texts import is_storable

JSON = "application/json"
MIME_TYPES: dict[Any, str] = {str: "text/plain", bytes: "application/octet-stream"}
# Of a URI: a sku of 64 characters, each of four bytes, percent-encoded, is 768.
MAX_URI_LENGTH = 2_000

# A row that a resource is made of: its table and id, or None for each row of the table.
Row = tuple[str, UUID | None]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Content:
    """One part of a resource."""

    data: str | bytes
    mime_type: str

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """The structured content of a tool's answer."""
        return cls(answer.model_dump_json(), JSON)


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """A resource, or a template of resources, as it was declared."""

    function: Callable[..., Any]
    name: str
    uri: UriTemplate
    title: Words
    description: Words
    mime_type: str
    scope: str | None
    rows: Callable[..., Iterable[Row]] | None
    parameters: Parameters

    kind: ClassVar[Literal["resource"]] = "resource"

    @property
    def arguments(self) -> dict[str, Argument]:
        """What stands in a URI of this template."""
        return self.parameters.arguments

    def matched(self, uri: str) -> dict[str, str] | None:
        """The arguments in a URI of this template, decoded; None for another one, and for what no text column holds.

        An empty one is left out where the function can do without.
        """
        found = self.uri.match(uri, max_uri_length=MAX_URI_LENGTH)
        if found is None:
            return None
        values = {name: value for name, value in found.items() if isinstance(value, str) and is_storable(value)}
        if len(values) < len(found):
            return None
        return {name: value for name, value in values.items() if value.strip() or name in self.parameters.required}


def resource(
    uri: str,
    *,
    scope: str | None,
    title: Words = "",
    description: Words = "",
    mime_type: str = "",
    rows: Callable[..., Iterable[Row]] | None = None,
    declared: list[Spec] = DECLARED,
) -> Callable[[F], F]:
    """Offer a function at the tenants' URLs as an MCP resource. It runs in the tenant context.

    It returns a text, bytes, or what JSON can say: a dataclass, a pydantic model, a TypedDict, a list of these. A
    resource of several parts, or of one whose kind depends, returns a list of Content. Where it asks first, it returns
    an InputRequiredResult: a parameter that is annotated with the SDK's Context has the answers.

    Args:
        uri: a URI, or a template (RFC 6570) whose variables are the function's parameters, each Annotated with
            an Argument. What stands in them is percent-encoded in a URI: room://A%20B%2F1.
        scope: what a token needs; None for a resource that holds no data.
        title, description: translated when they are listed, so marked with gettext_lazy. Without them they are the
            function's name and docstring.
        mime_type: of the first part. Without it, it is what the function is said to return: text/plain for a str,
            application/octet-stream for bytes, application/json for the rest.
        rows: what the resource is made of, for those who watch it; called with the same arguments and likewise
            raising Refusal. Without it nobody can watch.
        declared: where it is kept; `MCP.resource` has it of one server alone.

    Raises ImproperlyConfigured: it has no description, it can't be called with what stands in its URIs, or it does not
    say what it returns. The text names the line to write.
    """

    def declare(function: F) -> F:
        parameters = Parameters.of(function, "resource")
        spec = ResourceSpec(
            function=function,
            name=function.__name__,
            uri=templates.parsed(function, uri),
            title=title or title_of(function),
            description=description or description_of(function),
            mime_type=mime_type or _mime_type(function),
            scope=scope,
            rows=rows,
            parameters=parameters,
        )
        templates.refuse_other_variables(function, spec.uri, parameters)
        _refuse_rows(spec)
        declared.append(spec)
        return function

    return declare


def contents_of(found: Any, mime_type: str) -> list[Content]:
    """What a resource's function returned, as parts."""
    if isinstance(found, list) and all(isinstance(each, Content) for each in found):
        return found
    if isinstance(found, Content):
        return [found]
    return [Content(found if isinstance(found, str | bytes) else to_json(found).decode(), mime_type)]


def _mime_type(function: Callable[..., Any]) -> str:
    """That of what the function says it returns."""
    hints = shapes.hints(function, "resource")
    if "return" not in hints:
        raise ImproperlyConfigured(
            f"{place(function)} does not say what it returns, by which clients know how to read it; write `def "
            f"{function.__name__}(...) -> str:`, or the class of its answer"
        )
    return MIME_TYPES.get(shapes.without_rounds(hints["return"]), JSON)


def _refuse_rows(spec: ResourceSpec) -> None:
    if spec.rows is None:
        return
    who = f"{place(spec.function)} is the resource {spec.uri}, and its rows={spec.rows!r}"
    try:
        for given in (spec.arguments, spec.parameters.required):
            inspect.signature(spec.rows).bind(**dict.fromkeys(given))
    except TypeError as error:
        names = ", ".join(spec.arguments) or "nothing"
        raise ImproperlyConfigured(
            f"{who} can't be called with its arguments ({error}); let it take {names}"
        ) from error
    if inspect.iscoroutinefunction(spec.rows):
        raise ImproperlyConfigured(f"{who} must be a plain def; remove the `async`")
