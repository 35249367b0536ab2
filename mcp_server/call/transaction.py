"""One pass: the transaction that a changing tool's function runs in.

It holds the change, its audit event and the answer that is kept under the caller's key. A dry run, and a call that a
person has to agree to first, are that transaction, rolled back: they say exactly what would happen, because it has
happened. An answer that says itself that it is an error is rolled back too, and not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, InputRequiredResult

from mcp_server import approval, sentences, workers
from mcp_server.call import confirmations, outages, results, rows
from mcp_server.call.calls import Call
from mcp_server.call.confirmations import Question, Yes
from mcp_server.declare.tools import Change, Endpoint, Outcome
from mcp_server.ledger import events, idempotency, trail
from rls.backends import lost


@dataclass(frozen=True, slots=True)
class Undecided:
    """Nothing was changed: a person has to agree to these questions first."""

    questions: Sequence[Question]

    @property
    def text(self) -> str:
        """The questions, as one."""
        return _joined(self.questions)


def perform(call: Call, yes: Yes | None) -> CallToolResult | InputRequiredResult | Undecided:
    """Do what is asked, once, where nobody has to agree to it or `yes` was given to what is asked.

    Where the connection is lost before the commit, nothing is done yet: it is tried once more. Where it is lost during
    the commit, a key tells whether it was done.

    Raises ToolError: the call brings a confirmation that was not given to its questions. Raises outages.Unsettled: it
    may have been done.
    """
    keys = known_as(call, yes)
    with outages.unsettled_where(workers.is_decided, call):
        return lost.again(
            lambda: _perform(call, yes, keys),
            also=lost.is_read_only,
            may_repeat=lambda error: not workers.is_decided() or (bool(keys) and not lost.is_silent(error)),
        )


def known_as(call: Call, yes: Yes | None) -> list[str]:
    """The keys of a tenant's call: that of a person's yes, which is good for one change whatever comes with it, and
    the caller's own.

    Whoever claims both claims them in this order, so that two calls wait for each other in one direction only.
    """
    if call.spec.endpoint is Endpoint.PLATFORM or call.dry_run:
        return []
    keys = [confirmations.key(yes)] if yes and yes.name else []
    return [*keys, call.idempotency_key] if call.idempotency_key else keys


def _perform(call: Call, yes: Yes | None, keys: list[str]) -> CallToolResult | InputRequiredResult | Undecided:
    with call.working(origin=confirmations.origin(yes)), _atomic(call):
        if call.spec.endpoint is Endpoint.PLATFORM and yes and yes.name and not call.dry_run:
            confirmations.require_unused(yes)
        if (kept := _claim(call, keys)) is not None:
            workers.decide()
            trail.means("repeated")
            return CallToolResult.model_validate(kept)
        questions: list[Question] = []
        with approval.answered_by(lambda text, about: questions.append(_asked(call, text, about))):
            change = rows.within(call.spec, call.run())
        if isinstance(change, InputRequiredResult):
            if call.spec.asks or call.spec.is_platform_work:
                raise TypeError(f"tool {call.spec.name} asks by itself: say InputRequiredResult in what it returns")
            transaction.set_rollback(True, using=call.alias)
            return change
        if results.is_error(change):
            transaction.set_rollback(True, using=call.alias)
            return results.of(call.spec.shape, change)
        if call.dry_run:
            transaction.set_rollback(True, using=call.alias)
            trail.means("dry run")
            return _told(call, change, questions)
        if questions and (yes is None or yes.questions != confirmations.named(questions)):
            transaction.set_rollback(True, using=call.alias)
            _refuse_confirmation(call)
            return Undecided(questions)
        return _committed(call, change, keys)


def _committed(call: Call, change: Any, keys: list[str]) -> CallToolResult | InputRequiredResult:
    result = results.of(call.spec.shape, change, outcome=Outcome())
    for key in keys:
        idempotency.keep(key, result.model_dump(mode="json", by_alias=True, exclude_none=True))
    if call.spec.endpoint is Endpoint.TENANT:
        if not isinstance(change, Change) or change.has_changed():
            _write_event(call, change)
        else:
            trail.means("unchanged")
    workers.decide()
    return result


def _write_event(call: Call, change: Any) -> None:
    details = trail.without_secrets(call.plain_arguments)
    events.write(
        action=call.spec.name,
        subject=_subject(change, details),
        actor=call.principal.actor,
        actor_id=trail.actor_id(call.principal),
        details=details,
        changes=change.value_changes() if isinstance(change, Change) else (),
        whence=trail.current_whence(),
    )
    trail.is_event()


def _subject(change: Any, details: dict[str, Any]) -> str:
    """What was changed: as a Change says it, and else by the arguments: "ticket 7, status closed"."""
    if isinstance(change, Change):
        return change.subject()
    return ", ".join(f"{name} {value}" for name, value in details.items())


def _atomic(call: Call) -> AbstractContextManager[Any]:
    """A tenant's transaction; platform work is one already."""
    return transaction.atomic(using=call.alias) if call.spec.endpoint is Endpoint.TENANT else nullcontext()


def _asked(call: Call, text: str, about: str) -> Question:
    if not call.spec.asks:
        raise TypeError(f"tool {call.spec.name} asks a person: declare it with @tool(..., asks=True)")
    return Question(text, about)


def _refuse_confirmation(call: Call) -> None:
    if call.confirmation is not None:
        raise ToolError(
            _(
                "The confirmation does not match this call and the data as it is now. Call {tool} with "
                "dry_run=true again."
            ).format(tool=call.spec.name)
        )


def _told(call: Call, change: Any, questions: list[Question]) -> CallToolResult | InputRequiredResult:
    step = _("To do it, call {tool} with the same arguments and without dry_run.").format(tool=call.spec.name)
    told = Outcome(dry_run=True, next_step=step)
    asked = []
    if questions:
        confirmation = confirmations.signed(call, questions)
        step = _("If the answer is yes, call {tool} with the same arguments and confirmation={confirmation}.").format(
            tool=call.spec.name, confirmation=confirmation
        )
        told = Outcome(dry_run=True, question=_joined(questions), confirmation=confirmation, next_step=step)
        asked = [_("A person has to agree first: {question}").format(question=told.question)]
    before = [_("Dry run: nothing was changed.")]
    return results.of(call.spec.shape, change, before=before, after=[*asked, step], outcome=told)


def _claim(call: Call, keys: list[str]) -> Any | None:
    """Take every key for this call, or return the answer that one of them has, which is then that of all."""
    answers = {key: idempotency.claim(key, action=call.spec.name, digest=call.digest) for key in keys}
    kept = next((answer for answer in answers.values() if answer is not None), None)
    if kept is not None:
        for key in (key for key, answer in answers.items() if answer is None):
            idempotency.keep(key, kept)
    return kept


def _joined(questions: Sequence[Question]) -> str:
    return sentences.joined(each.text for each in questions)
