"""The trail of calls: who has called what, from where, and what became of it.

A call that changes something is an AuditEvent, in its transaction. Every other call of a tenant's tool, resource or
prompt is a CallRecord, which is written a moment later (`mcp_server.ledger.buffer`): reads, what was refused and what
failed, dry runs. Work at the platform's endpoint is on record in `app.platform_audit`, and in no tenant's trail.

It needs the app `mcp_server.ledger` in INSTALLED_APPS; without it nothing is kept.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from django.apps import apps
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from mcp_server.declare.prompts import PromptSpec
from mcp_server.declare.resources import ResourceSpec
from mcp_server.http.context import current_principal
from mcp_server.ledger import buffer, masking, whence
from mcp_server.ledger.whence import Whence, storable
from mcp_server.principals import Principal

LEDGER = "mcp_server.ledger"
# The methods that call something, and what they call.
KINDS = {"tools/call": "tool", "resources/read": "resource", "prompts/get": "prompt"}
NO_NAMES: frozenset[str] = frozenset()


class Named(Protocol):
    """What is called."""

    @property
    def name(self) -> str: ...


@dataclass(slots=True)
class Draft:
    """The call that is being handled: from where it comes, and what is known of it so far."""

    whence: Whence
    secrets: frozenset[str]
    spec: Named | None = None
    outcome: str = ""
    # What the outcome "ok" means here: a dry run, an answer that was kept.
    meaning: str = ""
    is_event: bool = False


_draft: ContextVar[Draft | None] = ContextVar("mcp_call_draft", default=None)


def middleware(tools: Iterable[Tool]) -> list[ServerMiddleware[Any]]:
    """What keeps the trail of the calls of a tenant's server, inside its boundary; nothing without the ledger."""
    return [Keeper(tools)] if apps.is_installed(LEDGER) else []


def ended(spec: Named, outcome: str) -> None:
    """How the call has ended, in the word that the log has for it."""
    if (draft := _draft.get()) is not None:
        draft.spec, draft.outcome = spec, outcome


def means(meaning: str) -> None:
    """What "ok" says of this call: "dry run"."""
    if (draft := _draft.get()) is not None:
        draft.meaning = meaning


def is_event() -> None:
    """This call is kept as an AuditEvent, if it ends well."""
    if (draft := _draft.get()) is not None:
        draft.is_event = True


def current_whence() -> Whence:
    """From where the current call comes, as far as that is known."""
    return draft.whence if (draft := _draft.get()) is not None else whence.NOWHERE


def without_secrets(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the current call as they are kept with a change."""
    draft = _draft.get()
    found: dict[str, Any] = masking.masked(arguments, draft.secrets if draft else NO_NAMES)
    return found


class Keeper:
    """An SDK middleware: what is called is kept, unless it is kept as an AuditEvent."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._secrets = {tool.name: masking.secret_names(tool.parameters) for tool in tools}

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        kind = KINDS.get(ctx.method)
        if kind is None:
            return await call_next(ctx)
        params = ctx.params or {}
        name = params.get("name")
        secrets = self._secrets.get(name, NO_NAMES) if kind == "tool" and isinstance(name, str) else NO_NAMES
        draft = Draft(Whence.of(ctx), secrets)
        token = _draft.set(draft)
        at, started = datetime.now(UTC), time.perf_counter()
        result: HandlerResult = None
        try:
            result = await call_next(ctx)
        except BaseException as error:
            draft.outcome = draft.outcome or _outcome_of(error)
            raise
        finally:
            _draft.reset(token)
            if not (draft.is_event and draft.outcome == "ok"):
                _keep(kind, params, draft, result, at, time.perf_counter() - started)
        return result


def _outcome_of(error: BaseException) -> str:
    """How a call has ended that did not come as far as the function."""
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return "refused" if isinstance(error, MCPError | ValidationError) else "failed"


def _keep(
    kind: str, params: Mapping[str, Any], draft: Draft, result: HandlerResult, at: datetime, seconds: float
) -> None:
    principal, answer = current_principal(), result if isinstance(result, dict) else {}
    outcome = draft.outcome or ("refused" if answer.get("isError") else "ok")
    record = {
        "id": buffer.new_id(at),
        "created_at": at.isoformat(),
        "kind": kind,
        "action": storable(draft.spec.name if draft.spec else _name(params), whence.MAX_ACTION_LENGTH),
        "arguments": _arguments(kind, params, draft),
        "outcome": (draft.meaning or outcome if outcome == "ok" else outcome)[: whence.MAX_OUTCOME_LENGTH],
        "duration_ms": round(seconds * 1000, 1),
        "rows": _row_count(answer),
        "actor": storable(principal.actor, whence.MAX_ACTOR_LENGTH),
        "actor_id": actor_id(principal),
        "request_id": draft.whence.request_id,
        "client": draft.whence.client,
        "address": draft.whence.address,
    }
    if principal.tenant_id is not None:
        buffer.BUFFER.add(principal.tenant_id, json.dumps(record, ensure_ascii=False))


def actor_id(principal: Principal) -> str:
    """The id of a caller, as it is kept."""
    return "" if principal.id is None else storable(str(principal.id), whence.MAX_ACTOR_ID_LENGTH)


def _name(params: Mapping[str, Any]) -> str:
    return str(params.get("name", params.get("uri", "")))


def _arguments(kind: str, params: Mapping[str, Any], draft: Draft) -> dict[str, Any]:
    spec, secrets = draft.spec, draft.secrets
    if isinstance(spec, ResourceSpec | PromptSpec):
        secrets = frozenset(name for name, each in spec.arguments.items() if each.is_secret)
    if kind == "resource":
        # Of a URI with a secret in it, the template.
        uri = spec.uri if secrets and isinstance(spec, ResourceSpec) else params.get("uri", "")
        return masking.kept({"uri": str(uri)}, secrets)
    given = params.get("arguments")
    return masking.kept(given, secrets) if isinstance(given, dict) else {}


def _row_count(answer: Mapping[str, Any]) -> int | None:
    """How many items the answer lists."""
    content, count = answer.get("structuredContent"), None
    if isinstance(content, dict):
        for each in content.values():
            if isinstance(each, list):
                count = (count or 0) + len(each)
    return count
