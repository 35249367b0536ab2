"""`@tool(cache=60)`: the answer of a tool that reads, given to the same call again.

# Note [Whose answer it is]
An answer is kept for its server, tenant, tool, arguments, language and time zone, and for callers with the same rights.
Where the function has asked who calls (`current_principal`), or at which address (`current_root`), it is kept for that
caller at that address alone. So whatever an answer is made of is in its key: what the client has sent as it was sent,
since arguments that were read may hide what they hold (SecretStr), and all that a Principal has, but for who it is.

# Note [How old it is]
With an answer the moment is kept before it was computed. It is given again as long as no tool of this tenant has
changed something that this moment has not seen (see Note [What a snapshot has seen] in mcp_server.ledger.snapshots): a
change that was answered is in every answer that begins after it, in whatever process. What others write (a page of
Django's admin, a job, psql, a platform tool) is seen after `cache` seconds at the latest.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Self

from django.apps import apps
from django.utils import timezone, translation
from mcp_types import CallToolResult, InputRequiredResult
from pydantic_core import to_jsonable_python

import mcp_server
from mcp_server.call import results, sizes
from mcp_server.call.calls import Call
from mcp_server.call.entries import ENTRIES, Entry
from mcp_server.declare import shapes
from mcp_server.declare.registry import place
from mcp_server.http import context
from mcp_server.ledger import snapshots, trail
from mcp_server.ledger.snapshots import Moment
from mcp_server.principals import Principal

NO_MOMENT = Moment("", "")
# What tells callers apart that have the same rights.
PERSON_FIELDS = ("id", "name", "person")


class Lookup:
    """The kept answer of one call. `find` and `keep` are called in a worker, in the tenant's context."""

    def __init__(self, call: Call) -> None:
        facts = _facts(call)
        self._seconds = call.spec.cache
        self._shared = _digest(facts)
        self._own = _digest([*facts, call.principal.subject, context.current_root()])
        self._is_personal = False
        self._moment = NO_MOMENT

    @classmethod
    def of(cls, call: Call) -> Self | None:
        """The lookup of a call; None where the answer is not to be kept, or nobody knows what was sent."""
        return cls(call) if call.spec.cache and call.sent is not None else None

    def find(self) -> CallToolResult | None:
        """The answer, if there is one that is still true."""
        entry = ENTRIES.first([self._own, self._shared])
        is_changed = False
        # Without the ledger nothing of this server changes anything.
        if apps.is_installed(trail.LEDGER):
            self._moment, is_changed = snapshots.now(entry.moment if entry else None)
        if entry is None or is_changed:
            return None
        trail.means("cached")
        return (sizes.ShortResult if entry.is_short else CallToolResult).model_validate_json(entry.result)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Within the block, the answer is computed. See Note [Whose answer it is]."""
        with context.noticing() as noticed:
            yield
        self._is_personal = noticed.is_asked

    def keep(self, result: CallToolResult | InputRequiredResult) -> None:
        """Keep the answer that was computed; not a question, nor one that says that the tool has failed."""
        if isinstance(result, InputRequiredResult) or results.is_error(result):
            return
        entry = Entry(
            key=self._own if self._is_personal else self._shared,
            snapshot=self._moment.snapshot,
            started_at=self._moment.started_at,
            is_short=isinstance(result, sizes.ShortResult),
            result=result.model_dump_json(by_alias=True, exclude_none=True),
        )
        ENTRIES.put(entry, self._seconds)


def _facts(call: Call) -> list[Any]:
    server = call.context.mcp_server if call.context else None
    return [
        mcp_server.__version__,
        server and (server.name, server.version),
        call.spec.name,
        _published(call.spec.function),
        _rights(call.principal),
        translation.get_language(),
        timezone.get_current_timezone_name(),
        call.sent,
    ]


@functools.cache
def _published(function: Callable[..., Any]) -> str:
    """What is promised of its answers, which another version of the project may have changed."""
    return _digest([place(function), shapes.of(function).schema])


def _rights(principal: Principal) -> dict[str, Any]:
    values = {each.name: getattr(principal, each.name) for each in fields(principal) if each.name not in PERSON_FIELDS}
    plain: dict[str, Any] = to_jsonable_python(
        {name: sorted(map(str, value)) if isinstance(value, frozenset) else value for name, value in values.items()}
    )
    return plain


def _digest(facts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
