"""The call pipeline: worker thread, transaction, a person's approval, error texts, one log record."""

from __future__ import annotations

import functools
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from django.utils.translation import gettext as _
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, InputRequiredResult

import rls
from mcp_server import approval, metrics, sentences, workers
from mcp_server.approval import Asker
from mcp_server.call import asking, confirmations, outages, progress, results, rows, signature, sizes, transaction
from mcp_server.call.asking import Round
from mcp_server.call.caching import Lookup
from mcp_server.call.calls import Call
from mcp_server.call.confirmations import Yes
from mcp_server.call.transaction import Undecided
from mcp_server.declare.tools import ToolSpec
from mcp_server.errors import Refusal
from mcp_server.http import authentication, bodies
from mcp_server.http.context import current_principal
from mcp_server.ledger import trail
from mcp_server.principals import Principal
from rls.backends import lost

logger = logging.getLogger("mcp_server.call.calls")

# PostgreSQL, appendix A: lock_not_available and deadlock_detected, where another call was in the way; query_canceled.
BUSY_SQLSTATES = {"55P03", "40P01"}
CANCELED_SQLSTATE = "57014"


class Recorded(Protocol):
    """What a client asks for by name: a tool, or something to read."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...


def published(spec: ToolSpec) -> Callable[..., Awaitable[CallToolResult | InputRequiredResult]]:
    """The tool's function with its own parameters and those that are added: checked, isolated, and logged."""

    async def call(*, mcp_context: Context[Any, Any], **given: Any) -> CallToolResult | InputRequiredResult:
        with recorded(spec) as record:
            progress.begin(mcp_context)
            try:
                result = await _bounded(Call.of(spec, record.principal, given, mcp_context), mcp_context)
            finally:
                await progress.sent()
            if isinstance(result, InputRequiredResult):
                record.outcome = "asked"
            elif results.is_error(result):
                record.outcome = "refused"
            return result

    call.__name__, call.__doc__ = spec.function.__name__, spec.function.__doc__
    signature.declare(call, spec.function, spec.added)
    return call


@dataclass(slots=True)
class Record:
    """The log record of one call, as far as it is known: by whom, and how it ends."""

    principal: Principal
    outcome: str = "ok"


@contextmanager
def recorded(spec: Recorded) -> Iterator[Record]:
    """Errors become words for the caller; all is one log record.

    Raises ToolError: what happened within, as far as the caller may know it.
    """
    record = Record(current_principal())
    started = time.perf_counter()
    try:
        # What changes something has an asker of its own: see mcp_server.call.transaction.
        with approval.answered_by(_refusing(spec)):
            yield record
    except (Refusal, ToolError) as error:
        record.outcome = "refused"
        raise ToolError(str(error)) from error
    except MCPError:
        record.outcome = "refused"
        raise
    except Exception as error:
        state = getattr(error.__cause__, "sqlstate", None)
        if state in BUSY_SQLSTATES:
            record.outcome = "busy"
            raise ToolError(_("Another call is changing the same rows. Nothing was changed; call again.")) from error
        if state == CANCELED_SQLSTATE:
            record.outcome = "too long"
            raise ToolError(_too_long(spec)) from error
        if outcome := outages.outcome(error):
            record.outcome = outcome
            raise ToolError(outages.words(spec, error)) from error
        record.outcome = reference = uuid.uuid4().hex[:12]
        if isinstance(error, rls.WriteRefused):
            logger.exception(
                "%s %s only reads, and tried to write", spec.kind, spec.name, extra={"reference": reference}
            )
            refusal = _("{name} may only read, but tried to write. Nothing was changed. Report reference {reference}.")
            raise ToolError(refusal.format(name=spec.name, reference=reference)) from error
        logger.exception("%s failed unexpectedly", spec.kind, extra={"reference": reference})
        raise ToolError(f"{spec.name} failed unexpectedly. Report reference {reference}.") from error
    except BaseException:
        record.outcome = "cancelled"
        raise
    finally:
        seconds = time.perf_counter() - started
        trail.ended(spec, record.outcome)
        metrics.called(spec, record.principal, record.outcome, seconds)
        _log(spec, record, seconds)


async def _bounded(call: Call, context: Context[Any, Any]) -> CallToolResult | InputRequiredResult:
    if call.spec.timeout is None:
        return await _called(call, context)
    with rls.statement_timeout(call.spec.timeout):
        return await _called(call, context)


async def _called(call: Call, context: Context[Any, Any]) -> CallToolResult | InputRequiredResult:
    spec, earlier = call.spec, Round.before(context)
    if spec.is_platform_work:
        reason = await _reason(call, context, earlier)
        if isinstance(reason, InputRequiredResult):
            return reason
        call = replace(call, reason=reason)
    if spec.is_async:
        with rls.read_only():
            return await _awaited(call)
    if spec.is_read_only:
        return await workers.run(lost.again, functools.partial(_read, call))
    try:
        return await _changed(call, context, earlier)
    finally:
        if spec.changes_callers:
            authentication.forget(_request_of(context), call.principal)


def _request_of(context: Context[Any, Any]) -> object:
    """The request over HTTP that carries a call, or None."""
    try:
        return context.request_context.request
    except ValueError:  # what the SDK raises where a call comes with no message
        return None


async def _changed(
    call: Call, context: Context[Any, Any], earlier: Round | None
) -> CallToolResult | InputRequiredResult:
    """The answer to a call that changes something, or the form in which a person is asked first.

    No transaction waits for a person: it would hold locks, and a connection of the pool. So where the answer comes in
    the middle of the call, as in the older protocols, the function is called a second time.
    """
    bodies.listen_at_once(_request_of(context))
    yes = _agreed(call, context, earlier) or confirmations.of(call) or _answered(earlier)
    call = replace(call, context=asking.as_the_tool_knows_it(context, earlier))
    done = await workers.run(transaction.perform, call, yes)
    if isinstance(done, InputRequiredResult):
        return asking.carried(done, earlier)
    if not isinstance(done, Undecided):
        return done
    if not asking.can_ask(context):
        raise _two_steps(call, done)
    given_to = confirmations.named(done.questions)
    asked = Round(asked="approval", reason=call.reason, questions=given_to)
    answer = await asking.put(context, done.text, asking.confirmation_form(), asked, tool=call.spec.name)
    if isinstance(answer, InputRequiredResult):
        return answer
    if answer is None or not answer.confirm:
        raise _declined()
    done = await workers.run(transaction.perform, call, Yes(given_to))
    if not isinstance(done, Undecided):
        return done
    raise _asked_again(call, done)


def _agreed(call: Call, context: Context[Any, Any], earlier: Round | None) -> Yes | None:
    """The yes that the person has given to the form of the round before. Raises ToolError: it is a no."""
    if earlier is None or earlier.asked != "approval":
        return None
    answer = asking.filled_in(context, asking.confirmation_form(), tool=call.spec.name)
    if answer is None or not answer.confirm:
        raise _declined()
    return Yes(earlier.questions, earlier.nonce)


def _answered(earlier: Round | None) -> Yes | None:
    """What a round stands for that has asked for a reason, or the tool's own question: a yes to nothing, good for one
    change.
    """
    if earlier is None or earlier.asked == "approval":
        return None
    return Yes(confirmations.NO_QUESTIONS, earlier.nonce)


async def _reason(call: Call, context: Context[Any, Any], earlier: Round | None) -> str | InputRequiredResult:
    """Why the tool is called, as the call says or the person. Raises ToolError: nobody says it."""
    known = call.reason.strip() or (earlier.reason if earlier else "")
    if known:
        return known
    if earlier is not None and earlier.asked == "reason":
        answer = asking.filled_in(context, asking.reason_form(), tool=call.spec.name)
    elif asking.can_ask(context):
        question = _("Why is {tool} called? The reason is kept in the audit log.").format(tool=call.spec.name)
        put = await asking.put(context, question, asking.reason_form(), Round(asked="reason"), tool=call.spec.name)
        if isinstance(put, InputRequiredResult):
            return put
        answer = put
    else:
        refusal = _("Say why: call {tool} again with a reason. The reason is kept in the audit log.")
        raise ToolError(refusal.format(tool=call.spec.name))
    if answer is None or not answer.reason.strip():
        raise ToolError(_("No reason was given. Nothing was changed."))
    return answer.reason.strip()


def _too_long(spec: Recorded) -> str:
    if isinstance(spec, ToolSpec) and spec.timeout is not None:
        words = _("This call took too long, and nothing was changed: a query of {tool} may take {seconds} s.")
        words = words.format(tool=spec.name, seconds=f"{spec.timeout:g}")
    else:
        words = _("This call took too long, and nothing was changed.")
    return sentences.joined([words, sizes.ask_for_less()])


def _declined() -> ToolError:
    return ToolError(_("The person did not agree. Nothing was changed."))


def _two_steps(call: Call, undecided: Undecided) -> ToolError:
    how = _(
        "Nobody can be asked over this connection, so approval takes two steps: call {tool} with "
        "dry_run=true, show the person the question, and, if the answer is yes, call {tool} again with "
        "the confirmation from the dry run."
    )
    return ToolError(sentences.joined([_agree_first(undecided), how.format(tool=call.spec.name)]))


def _asked_again(call: Call, undecided: Undecided) -> ToolError:
    how = _("Call {tool} with dry_run=true to see it.").format(tool=call.spec.name)
    return ToolError(sentences.joined([_agree_first(undecided), how]))


def _agree_first(undecided: Undecided) -> str:
    return _("A person has to agree first: {question}").format(question=undecided.text)


async def again(function: Callable[[], Awaitable[Any]]) -> Any:
    """Await a function of the event loop; once more where a lost connection was to blame."""
    try:
        return await workers.run_async(function)
    except Exception as error:
        if not lost.may_help_again(error):
            raise
        lost.warn(error)
    return await workers.run_async(function)


async def _awaited(call: Call) -> CallToolResult | InputRequiredResult:
    lookup = Lookup.of(call)
    if lookup is None:
        return results.of(call.spec.shape, rows.within(call.spec, await again(call.run)))
    if (kept := await workers.run(lost.again, lookup.find)) is not None:
        return kept
    with lookup.computing():
        result = results.of(call.spec.shape, rows.within(call.spec, await again(call.run)))
    await workers.run(lookup.keep, result)
    return result


def _read(call: Call) -> CallToolResult | InputRequiredResult:
    with call.working(), rls.read_only():
        lookup = Lookup.of(call)
        if lookup is None:
            return results.of(call.spec.shape, rows.within(call.spec, call.run()))
        if (kept := lookup.find()) is not None:
            return kept
        with lookup.computing():
            result = results.of(call.spec.shape, rows.within(call.spec, call.run()))
        lookup.keep(result)
        return result


def _refusing(spec: Recorded) -> Asker:
    def refuse(question: str, about: str) -> None:
        raise TypeError(
            f"{spec.kind} {spec.name} asks a person, and only a tool that changes something may: declare it with "
            "@tool(..., read_only=False, asks=True)"
        )

    return refuse


def _log(spec: Recorded, record: Record, seconds: float) -> None:
    logger.info(
        "%s call",
        spec.kind,
        extra={
            spec.kind: spec.name,
            "tenant": record.principal.slug or "platform",
            "principal": record.principal.subject,
            "outcome": record.outcome,
            "duration_ms": round(seconds * 1000, 1),
        },
    )
