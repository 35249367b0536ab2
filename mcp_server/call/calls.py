"""A call of a tool: what was asked for, and by whom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from django.db import DEFAULT_DB_ALIAS
from mcp.server.mcpserver import Context
from pydantic_core import to_jsonable_python

from mcp_server.declare import shapes
from mcp_server.declare.tools import Endpoint, ToolSpec
from mcp_server.principals import Principal
from rls import platform_context
from rls.context import PLATFORM_ALIAS


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `arguments` are those of the tool's own function; the rest is what the call pipeline has added."""

    spec: ToolSpec
    principal: Principal
    arguments: dict[str, Any]
    reason: str = ""
    idempotency_key: str | None = None
    dry_run: bool = False
    confirmation: str | None = None
    context: Context[Any, Any] | None = None

    @classmethod
    def of(cls, spec: ToolSpec, principal: Principal, given: dict[str, Any], context: Context[Any, Any]) -> Self:
        """The call with what the client has given, out of which its own parameters are taken."""
        added = {name: given.pop(name) for name in spec.added}
        return cls(spec, principal, given, **added, context=context)

    @property
    def alias(self) -> str:
        """The connection that it works on."""
        return DEFAULT_DB_ALIAS if self.spec.endpoint is Endpoint.TENANT else PLATFORM_ALIAS

    @property
    def has_key(self) -> bool:
        """Whether the answer is kept, so that to call again does nothing twice."""
        return self.spec.endpoint is Endpoint.TENANT and (self.idempotency_key or self.confirmation) is not None

    @property
    def sent(self) -> dict[str, Any] | None:
        """What the client has sent, as JSON values: all that it asks for. None where the call comes with no message."""
        try:
            params = self.context.request_context.params if self.context else None
        except ValueError:
            params = None
        return None if params is None else {name: each for name, each in params.items() if name != "_meta"}

    @property
    def plain_arguments(self) -> dict[str, Any]:
        """The arguments as JSON values."""
        plain: dict[str, Any] = to_jsonable_python(self.arguments)
        return plain

    @property
    def digest(self) -> bytes:
        """32 bytes that are the same for the same caller, server, tool and arguments, and for no other."""
        server = self.context.mcp_server.name if self.context else ""
        facts = [self.principal.subject, server, self.spec.name, self.plain_arguments]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).digest()

    @contextmanager
    def working(self, *, origin: str = "mcp") -> Iterator[None]:
        """Across tenants, one platform context with its audit row; at a tenant's endpoint its context is open."""
        if not self.spec.is_platform_work:
            yield
            return
        with platform_context(actor=self.principal.name, reason=f"{self.spec.name}: {self.reason}", origin=origin):
            yield

    def run(self) -> Any:
        """Call the function."""
        given = shapes.context_parameter(self.spec.function)
        return self.spec.function(**self.arguments, **({given: self.context} if given else {}))
