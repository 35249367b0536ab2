"""Suggestions for what is being typed (MCP specification, "Completion"): arguments of resources and prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from django.utils.translation import gettext as _
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from mcp_server.call import refusals
from mcp_server.declare import registry
from mcp_server.declare.arguments import MAX_ARGUMENT_LENGTH, Completer, Offered
from mcp_server.read.reading import read
from mcp_server.texts import is_storable

# As many as an answer may hold.
MAX_VALUES = 100

Reference = PromptReference | ResourceTemplateReference


@dataclass(frozen=True, slots=True)
class Completing:
    """Suggestions for one argument."""

    name: str

    kind: ClassVar[str] = "completion"


async def complete(ref: Reference, argument: CompletionArgument, context: CompletionContext | None) -> Completion:
    """At most MAX_VALUES values of this tenant. Raises MCPError: there is no such prompt, resource or argument."""
    offered = _offered(ref)
    if offered is None or argument.name not in offered.arguments:
        words = _(
            "There is no argument {name} to complete. Call prompts/list or resources/templates/list to "
            "see the arguments."
        )
        raise MCPError(INVALID_PARAMS, words.format(name=repr(refusals.short(argument.name))))
    completer = offered.arguments[argument.name].complete
    if completer is None or len(argument.value) > MAX_ARGUMENT_LENGTH or not is_storable(argument.value):
        return Completion(values=[], total=0, has_more=False)
    return await _ask(Completing(f"{offered.name} {argument.name}"), completer, argument.value)


async def _ask(completing: Completing, completer: Completer, value: str) -> Completion:
    # A query that nobody has run yet is run in the worker, in the tenant's context.
    values = await read(completing, lambda: list(completer(value, MAX_VALUES + 1)))
    if len(values) > MAX_VALUES:
        return Completion(values=values[:MAX_VALUES], has_more=True)
    return Completion(values=values, total=len(values), has_more=False)


def _offered(ref: Reference) -> Offered | None:
    if isinstance(ref, PromptReference):
        return registry.current().prompts().get(ref.name)
    return registry.current().template(ref.uri)
