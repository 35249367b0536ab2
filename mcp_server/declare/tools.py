"""`@tool`: what makes a function a tool, and the classes that its answers may have."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel

from mcp_server.declare import mistakes, shapes
from mcp_server.declare.registry import DECLARED, Spec
from mcp_server.declare.schemas import Schema
from mcp_server.declare.shapes import Shape

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


class Outcome(BaseModel):
    """What the call pipeline says of a change, beside what the tool says: whether it was made, and what comes next."""

    dry_run: bool = False
    question: str | None = None
    confirmation: str | None = None
    next_step: str | None = None


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A value that a change has found and left: plain JSON values. `unit` says what amounts are in, as a currency."""

    field: str
    before: Any
    after: Any
    unit: str = ""


class Change(Answer, Outcome):
    """What a tool may return that changes something, to say in the audit what was changed, or that nothing was.

    The call pipeline fills the fields of Outcome. `next_step` is what to do after a dry run; of a change that was made
    it is the tool's own.
    """

    @abstractmethod
    def subject(self) -> str:
        """What was changed, for the audit: "ticket 17"."""

    def value_changes(self) -> Sequence[ValueChange]:
        """The values that were others before, for the audit."""
        return ()

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
    input_schema: Schema | None = None
    # Seconds for which an answer is kept; 0 where none is (see mcp_server.call.caching).
    cache: int = 0
    timeout: float | None = None
    max_rows: int | None = None
    changes_callers: bool = False

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
    def is_at_platform(self) -> bool:
        """Whether it is offered at the platform's URL."""
        return self.endpoint is Endpoint.PLATFORM

    @property
    def added(self) -> list[str]:
        """The parameters that its calls take beside those of the function (see mcp_server.call.signature)."""
        key = "reason" if self.is_platform_work else "idempotency_key" if not self.is_read_only else ""
        return [
            *([key] if key else []),
            *(["dry_run"] if not self.is_read_only else []),
            *(["confirmation"] if self.asks else []),
        ]

    @property
    def shape(self) -> Shape:
        """What the function returns. Raises ImproperlyConfigured: it has no schema."""
        return shapes.of(self.function)


def tool(
    *,
    scope: str | None,
    read_only: bool,
    title: str = "",
    destructive: bool = False,
    idempotent: bool = False,
    asks: bool = False,
    endpoint: Endpoint | Iterable[Endpoint] = Endpoint.TENANT,
    name: str | None = None,
    input_schema: Schema | None = None,
    cache: int = 0,
    timeout: float | None = None,
    max_rows: int | None = None,
    changes_callers: bool = False,
    declared: list[Spec] = DECLARED,
) -> Callable[[F], F]:
    """Offer a function as an MCP tool. Its parameters, annotations and docstring are what the model sees.

    Args:
        scope: what a token needs; None for a tool that touches no data.
        title: the name for people; without it one is made of the tool's name.
        read_only, destructive, idempotent: the hints of the MCP specification, "Tool annotations". A tool that is
            not read-only runs in one transaction, and takes `dry_run` and `idempotency_key` too (see
            mcp_server.call.transaction); one that is can't write.
        asks: its service may ask for a person's approval (see mcp_server.approval); for what is not read-only.
        endpoint: at the tenants' URLs (there it runs in the tenant context), at the platform's (in a platform
            context, and takes a `reason`), or at both.
        name: the tool's name where it is not the function's.
        input_schema: a JSON Schema of its arguments, for what annotations can't say, such as conditions between them.
            It is published as it is, and arguments are judged by it first. Its properties are the function's
            parameters.
        cache: seconds for which an answer is kept in the default cache (CACHES) and given to the same call again; 0 for
            none. A change by a tool of this tenant ends it at once, in every process; what others change is seen after
            these seconds at the latest. For what only reads, at the tenants' URLs.
        timeout: the seconds that a query of it may take, where that is less than its role's statement_timeout.
        max_rows: how many rows its answer may have. One with more is refused, because a part of a list, counted or
            added up, gives wrong figures; a change is then rolled back. See mcp_server.call.rows.
        changes_callers: it may change who may call, or what callers may do and read in: a right, a language, a time
            zone. After it they are looked up again at once in this process; what others change, within a second.
        declared: where it is kept; `MCP.tool` has it of one server alone.

    The function returns a dataclass, a pydantic model, a TypedDict, a list of these, or a text; an Answer or a Change,
    which say what people read of it; or content of the protocol: images, audio, resources, links (`mcp_types`). A
    parameter that is annotated with the SDK's Context takes that of the call.

    Raises ImproperlyConfigured: a model could not be told what the tool does, takes and returns, or the tool can't be
    offered there. The text names the line to write.
    """

    def declare(function: F) -> F:
        mistakes.refuse_kind("tool", function)
        for each in [endpoint] if isinstance(endpoint, Endpoint) else endpoint:
            spec = ToolSpec(
                function=function,
                name=name or function.__name__,
                title=title or (name or function.__name__).replace("_", " ").capitalize(),
                scope=scope,
                endpoint=each,
                is_read_only=read_only,
                is_destructive=destructive,
                is_idempotent=idempotent or read_only,
                asks=asks,
                input_schema=input_schema,
                cache=cache,
                timeout=timeout,
                max_rows=max_rows,
                changes_callers=changes_callers,
            )
            _add(spec, declared)
        return function

    return declare


def _add(spec: ToolSpec, declared: list[Spec]) -> None:
    mistakes.refuse_function(spec.name, spec.function)
    mistakes.refuse_spec(spec)
    mistakes.refuse_cache(spec)
    declared.append(spec)
