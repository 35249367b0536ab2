"""What is declared, and the registry of one server: tools, resources and prompts, each under a name of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from mcp_server.declare.prompts import PromptSpec
    from mcp_server.declare.resources import ResourceSpec
    from mcp_server.declare.tools import Endpoint, ToolSpec
    from mcp_server.principals import Principal

Spec: TypeAlias = "ToolSpec | ResourceSpec | PromptSpec"
S = TypeVar("S", bound="ToolSpec | ResourceSpec | PromptSpec")

NO_NAMES: frozenset[str] = frozenset()
LAST_CHARACTER = "\U0010ffff"
# Registries that one registry keeps of what callers may use, each for all whose rights are the same.
MAX_PARTS = 100

# What the decorators have declared that stand in modules of apps. A server has those of all apps, or of some.
DECLARED: list[Spec] = []


class Registry:
    """What one server offers. It does not change: clients are told that no list does.

    `whole` is what this is the part of that one caller may use; the registry itself where it is no part.
    """

    def __init__(self, specs: Iterable[Spec] = (), *, whole: Registry | None = None) -> None:
        """Raises ImproperlyConfigured: two functions want one name at one endpoint, or one URI."""
        self.whole = self if whole is None else whole
        self._parts: dict[Hashable, Registry] = {}
        self._tools: dict[tuple[Endpoint, str], ToolSpec] = {}
        self._resources: dict[str, ResourceSpec] = {}
        self._prompts: dict[str, PromptSpec] = {}
        for spec in specs:
            match spec.kind:
                case "tool":
                    _add(self._tools, (spec.endpoint, spec.name), spec, f"tools are named {spec.name}")
                case "resource":
                    _add(self._resources, _shape(str(spec.uri)), spec, f"resources have the URI {spec.uri}")
                case "prompt":
                    _add(self._prompts, spec.name, spec, f"prompts are named {spec.name}")

    def usable_by(self, principal: Principal) -> Registry:
        """What a caller may use of it: for the caller there is nothing else."""
        rights = principal.rights
        if (found := self._parts.get(rights)) is None:
            found = Registry(filter(principal.may_use, self.specs()), whole=self)
            if len(self._parts) >= MAX_PARTS:
                del self._parts[next(iter(self._parts))]
            self._parts[rights] = found
        return found

    def has_tool(self, endpoint: Endpoint, name: str) -> bool:
        """Whether an endpoint has a tool of this name."""
        return (endpoint, name) in self._tools

    def tools(self, endpoint: Endpoint) -> list[ToolSpec]:
        """The tools of an endpoint, by name."""
        return sorted((spec for spec in self._tools.values() if spec.endpoint is endpoint), key=lambda spec: spec.name)

    def hidden_tools(self, endpoint: Endpoint) -> frozenset[str]:
        """The names of the tools of an endpoint that the caller of this part has not, which a text may name.

        Without those that are one word, as "comment": in a text it is a word like others.
        """
        if self.whole is self:
            return NO_NAMES
        names = (name for where, name in self.whole._tools if where is endpoint and "_" in name)
        return frozenset(name for name in names if not self.has_tool(endpoint, name))

    def resources(self) -> list[ResourceSpec]:
        """Every resource and template, by URI, a variable after whatever else may stand there: of two that a URI fits,
        the first is the closer one.
        """
        return sorted(self._resources.values(), key=lambda spec: str(spec.uri).replace("{", LAST_CHARACTER))

    def template(self, uri: str) -> ResourceSpec | None:
        """The resource that was declared with this very URI or template."""
        spec = self._resources.get(_shape(uri))
        return spec if spec and str(spec.uri) == uri else None

    def find(self, uri: str) -> tuple[ResourceSpec, dict[str, str]] | None:
        """What a URI names, with its arguments."""
        for spec in self.resources():
            if (arguments := spec.matched(uri)) is not None:
                return spec, arguments
        return None

    def prompts(self) -> dict[str, PromptSpec]:
        """Every prompt, by name, in the order of their names."""
        return dict(sorted(self._prompts.items()))

    def specs(self) -> list[Spec]:
        """Everything, each with its scope."""
        return [*self._tools.values(), *self._resources.values(), *self._prompts.values()]

    def scopes(self) -> frozenset[str]:
        """Every scope that something needs."""
        return frozenset(str(spec.scope) for spec in self.specs() if spec.scope is not None)


_current: ContextVar[Registry] = ContextVar("mcp_registry")


def current(otherwise: Registry | None = None) -> Registry:
    """What the caller of the message that is handled may use; outside of one, `otherwise`, or all that is declared."""
    return _current.get(None) or otherwise or Registry(DECLARED)


@contextmanager
def serving(registry: Registry) -> Iterator[None]:
    """Within the block, there is this."""
    token = _current.set(registry)
    try:
        yield
    finally:
        _current.reset(token)


def place(function: Callable[..., Any]) -> str:
    """Where a function stands, for whoever looks for it."""
    return f"{function.__module__}.{function.__qualname__}"


def _shape(uri: str) -> str:
    """What it has in common with every template that the same URIs fit: the names of its variables are left out.

    Those of a query are part of the URI (RFC 6570, 3.2.7-9).
    """
    return re.sub(r"\{([+#./]?)([^}?&;][^}]*)\}", lambda each: f"{{{each[1]}{re.sub('[^,*]+', '', each[2])}}}", uri)


def _add(specs: dict[Any, S], key: object, spec: S, clash: str) -> None:
    present = specs.setdefault(key, spec)
    if present.function is not spec.function:
        raise ImproperlyConfigured(f"two {clash}: {place(present.function)} and {place(spec.function)}; change one")
