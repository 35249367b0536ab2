"""The tool hook: what stands between the protocol and a tool's function."""

from __future__ import annotations

import functools
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from django.utils.translation import gettext as _
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult

import rls
from mcp_server import workers
from mcp_server.call import asking, outages, progress, signature, transaction
from mcp_server.call.calls import Call, as_result
from mcp_server.declare.tools import Answer, ToolSpec
from mcp_server.errors import DomainError
from mcp_server.http.context import current_principal
from mcp_server.principals import Principal
from rls import lost

logger = logging.getLogger("mcp_server.call.calls")

# PostgreSQL, appendix A: lock_not_available and deadlock_detected, where another call was in the way; query_canceled.
BUSY = {"55P03", "40P01"}
TOO_LONG = "57014"


class Recorded(Protocol):
    """What a client asks for by name: a tool, or something to read."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> str | None: ...


def hooked(spec: ToolSpec) -> Callable[..., Awaitable[CallToolResult]]:
    """The tool's function with its own parameters and those that the hook adds: checked, isolated, and logged."""

    async def call(*, context: Context[Any, Any], **given: Any) -> CallToolResult:
        with recorded(spec) as principal:
            agreed = asking.agreed(given.pop("approval")) if spec.asks else ()
            reason = asking.stated(given.pop("stated_reason")) if spec.is_platform_work else ""
            each = replace(Call.of(spec, principal, given), reason=reason)
            progress.current.set(context)
            if spec.is_async:
                with rls.read_only():
                    return as_result(await _again(functools.partial(spec.function, **each.arguments)))
            if spec.is_read_only:
                return await workers.run(lost.again, functools.partial(_read, each))
            return await workers.run(transaction.perform, each, agreed)

    call.__name__, call.__doc__ = spec.function.__name__, spec.function.__doc__
    added = _added(spec)
    signature.declare(call, spec.function, {**added, **_asked_for(spec, added), "context": (Context[Any, Any], None)})
    return call


@contextmanager
def recorded(spec: Recorded, *, outcome: str = "ok") -> Iterator[Principal]:
    """Gives the principal, whose token has the scope. Errors become words for the caller; all is one log record.

    `outcome` is the one of success; where it is "", success is not logged.

    Raises ToolError: the scope is missing, or what happened within, as far as the caller may know it.
    """
    principal = current_principal()
    started = time.perf_counter()
    try:
        _require_scope(spec, principal)
        yield principal
    except (DomainError, ToolError) as error:
        outcome = "refused"
        raise ToolError(str(error)) from error
    except MCPError:
        outcome = "refused"
        raise
    except Exception as error:
        state = getattr(error.__cause__, "sqlstate", None)
        if state in BUSY:
            outcome = "busy"
            raise ToolError(_("Others are working on the same rows. Nothing was changed; call again.")) from error
        if state == TOO_LONG:
            outcome = "too long"
            raise ToolError(_("This took too long, and nothing was changed. Ask for less at once.")) from error
        if outcome_of_outage := outages.outcome(error):
            outcome = outcome_of_outage
            raise ToolError(outages.words(spec, error)) from error
        outcome = reference = uuid.uuid4().hex[:12]
        if isinstance(error, rls.WriteRefused):
            logger.exception(
                "%s %s only reads, and tried to write", spec.kind, spec.name, extra={"reference": reference}
            )
            refusal = _("{name} only reads, and tried to write. Nothing was changed. Report reference {reference}.")
            raise ToolError(refusal.format(name=spec.name, reference=reference)) from error
        logger.exception("%s failed unexpectedly", spec.kind, extra={"reference": reference})
        raise ToolError(f"{spec.name} failed unexpectedly. Report reference {reference}.") from error
    except BaseException:
        outcome = "cancelled"
        raise
    finally:
        if outcome:
            _log(spec, principal, outcome, time.perf_counter() - started)


async def _again(function: Callable[[], Awaitable[Answer]]) -> Answer:
    try:
        return await workers.run_async(function)
    except Exception as error:
        if not lost.may_help_again(error):
            raise
        lost.warn(error)
    return await workers.run_async(function)


def _read(call: Call) -> CallToolResult:
    with call.working(), rls.read_only():
        return as_result(call.run())


def _added(spec: ToolSpec) -> dict[str, tuple[Any, Any]]:
    """The parameters of a call beside those of the tool's function: name to (annotation, default)."""
    added: dict[str, tuple[Any, Any]] = {}
    if spec.is_platform_work:
        added["reason"] = (signature.REASON, "")
    elif not spec.is_read_only:
        added["idempotency_key"] = (signature.IDEMPOTENCY_KEY, None)
    if not spec.is_read_only:
        added["dry_run"] = (signature.DRY_RUN, False)
    if spec.asks:
        added["confirmation"] = (signature.CONFIRMATION, None)
    return added


def _asked_for(spec: ToolSpec, added: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """The parameters that a resolver fills, and not the client."""
    resolved: dict[str, tuple[Any, Any]] = {}
    if spec.is_platform_work:
        why = asking.reason_resolver(functools.partial(recorded, spec), spec.name)
        resolved["stated_reason"] = (asking.outcome_of(why), None)
    if spec.asks:
        approval = asking.approval_resolver(functools.partial(recorded, spec), functools.partial(Call.of, spec))
        signature.declare(approval, spec.function, {**added, **resolved, "context": (Context[Any, Any], None)})
        resolved["approval"] = (asking.outcome_of(approval), None)
    return resolved


def _require_scope(spec: Recorded, principal: Principal) -> None:
    if spec.scope is not None and spec.scope not in principal.scopes:
        raise ToolError(
            _("This token may not call {tool}: it lacks the scope {scope}. Ask for one that has it.").format(
                tool=spec.name, scope=spec.scope
            )
        )


def _log(spec: Recorded, principal: Principal, outcome: str, seconds: float) -> None:
    logger.info(
        "%s call",
        spec.kind,
        extra={
            spec.kind: spec.name,
            "tenant": principal.subdomain or "platform",
            "principal": principal.subject,
            "outcome": outcome,
            "duration_ms": round(seconds * 1000, 1),
        },
    )
