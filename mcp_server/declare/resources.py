"""`@resource`: what makes a function a resource of tenants."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from mcp.shared.uri_template import UriTemplate
from pydantic_core import to_json

from mcp_server.declare.arguments import Argument, Words, arguments_of, description_of, title_of
from mcp_server.declare.registry import DECLARED, Spec, place
from mcp_server.declare.tools import Answer

JSON = "application/json"
MIME_TYPES: dict[Any, str] = {str: "text/plain", bytes: "application/octet-stream"}
# Of a URI: a sku of 64 characters, each of four bytes, percent-encoded, is 768.
MAX_URI_LENGTH = 2_000

# A row that a resource is made of: its table and id, or None for each row of the table.
Row = tuple[str, UUID | None]

EMPTY = inspect.Parameter.empty

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
    arguments: dict[str, Argument]

    kind: ClassVar[Literal["resource"]] = "resource"

    def matched(self, uri: str) -> dict[str, str] | None:
        """The arguments in a URI of this template, decoded; None for another one, and for what no text column holds.

        An empty one is left out where the function can do without.
        """
        found = self.uri.match(uri, max_uri_length=MAX_URI_LENGTH)
        if found is None:
            return None
        values = {name: value for name, value in found.items() if isinstance(value, str) and "\0" not in value}
        if len(values) < len(found):
            return None
        parameters = inspect.signature(self.function).parameters
        return {name: value for name, value in values.items() if value.strip() or parameters[name].default is EMPTY}

    def contents(self, **arguments: str) -> list[Content]:
        """The parts of the resource, with these arguments; needs its tenant's context."""
        return contents_of(self.function(**arguments), self.mime_type)


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
    """Offer a function at the tenants' URLs as an MCP resource. It is a plain def, and runs in the tenant context.

    It returns a text, bytes, or what JSON can say: a dataclass, a pydantic model, a TypedDict, a list of these. A
    resource of several parts, or of one whose kind depends, returns a list of Content.

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

    Raises ImproperlyConfigured: there is no description, or variables and parameters differ.
    """

    def declare(function: F) -> F:
        spec = ResourceSpec(
            function=function,
            name=function.__name__,
            uri=UriTemplate.parse(uri),
            title=title or title_of(function),
            description=description or description_of(function),
            mime_type=mime_type or MIME_TYPES.get(typing.get_type_hints(function).get("return"), JSON),
            scope=scope,
            rows=rows,
            arguments=arguments_of(function),
        )
        if spec.uri.variable_names != list(spec.arguments):
            names = ", ".join(spec.uri.variable_names) or "nothing"
            raise ImproperlyConfigured(f"{place(function)} is the resource {uri}: let it take {names}, in this order")
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
