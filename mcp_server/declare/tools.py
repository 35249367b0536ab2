"""`@tool`: what makes a function a tool, and the tools there are."""

from __future__ import annotations

import inspect
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Literal, TypeVar

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel

from mcp_server.declare.registry import DECLARED, Spec

F = TypeVar("F", bound=Callable[..., Any])


class Endpoint(Enum):
    """Where a tool is offered: at each tenant's URL, or at the platform's."""

    TENANT = "tenant"
    PLATFORM = "platform"


class Answer(BaseModel, ABC):
    """What a tool returns: its fields are the structured content, `text` is what a person reads.

    Some clients show a model the one, some the other: each says everything. What has amounts of money is Priced, what
    has times or days Dated (see mcp_server.call.units); the call pipeline then says in the text what they are in.
    """

    # Whether the text is another document's, word for word: what is added to it stands in a block of its own.
    is_verbatim: ClassVar[bool] = False

    @abstractmethod
    def text(self) -> str:
        """The answer in the caller's language."""


class Change(Answer):
    """What a tool returns that changes something. The call pipeline fills the fields below; the others are the result.

    `next_step` is what to do after a dry run; of a change that was made it is the tool's own.
    """

    dry_run: bool = False
    question: str | None = None
    confirmation: str | None = None
    next_step: str | None = None

    @abstractmethod
    def subject(self) -> str:
        """What was changed, for the audit: "ticket 17"."""

    def has_changed(self) -> bool:
        """Whether it belongs into the audit; not what was only looked at."""
        return True


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as it was declared."""

    function: Callable[..., Any]
    name: str
    title: str
    scope: str | None
    endpoint: Endpoint
    is_read_only: bool
    is_destructive: bool
    is_idempotent: bool
    asks: bool

    kind: ClassVar[Literal["tool"]] = "tool"

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def description(self) -> str:
        """The function's docstring, a line a paragraph."""
        return "\n".join(" ".join(each.split()) for each in (self.function.__doc__ or "").split("\n\n")).strip()

    @property
    def is_platform_work(self) -> bool:
        """Whether it works across tenants: in a platform context, for a reason."""
        return self.endpoint is Endpoint.PLATFORM and self.scope is not None

    @property
    def answer(self) -> type[Answer]:
        """The class of what the function returns."""
        answer: type[Answer] = typing.get_type_hints(self.function)["return"]
        return answer


def tool(
    *,
    scope: str | None,
    title: str,
    read_only: bool,
    destructive: bool = False,
    idempotent: bool = False,
    asks: bool = False,
    endpoint: Endpoint | Iterable[Endpoint] = Endpoint.TENANT,
    name: str | None = None,
    declared: list[Spec] = DECLARED,
) -> Callable[[F], F]:
    """Offer a function as an MCP tool. Its parameters, annotations and docstring are what the model sees.

    Args:
        scope: what a token needs; None for a tool that touches no data.
        title: the name for people.
        read_only, destructive, idempotent: the hints of the MCP specification, "Tool annotations". A tool that is
            not read-only runs in one transaction, returns a Change, and takes `dry_run` and `idempotency_key` too
            (see mcp_server.call.transaction).
        asks: its service may ask for a person's approval (see mcp_server.approval).
        endpoint: at the tenants' URLs (there it runs in the tenant context), at the platform's (in a platform
            context, and takes a `reason`), or at both.
        name: the tool's name where it is not the function's.
        declared: where it is kept; `MCP.tool` has it of one server alone.

    Raises ImproperlyConfigured: a tool that runs in a transaction, at the platform or because it changes something, is
    async.
    """

    def declare(function: F) -> F:
        for each in [endpoint] if isinstance(endpoint, Endpoint) else endpoint:
            spec = ToolSpec(
                function=function,
                name=name or function.__name__,
                title=title,
                scope=scope,
                endpoint=each,
                is_read_only=read_only,
                is_destructive=destructive,
                is_idempotent=idempotent or read_only,
                asks=asks,
            )
            _add(spec, declared)
        return function

    return declare


def _add(spec: ToolSpec, declared: list[Spec]) -> None:
    if spec.is_async and (spec.endpoint is Endpoint.PLATFORM or not spec.is_read_only):
        raise ImproperlyConfigured(f"tool {spec.name} must be a plain def: it runs in a transaction")
    declared.append(spec)
