"""What stands between a tool that changes something and its function.

One transaction holds the change, its audit event and the answer that is kept under the caller's key. A dry run is that
transaction, rolled back: it says exactly what would happen, because it has happened.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection
from typing import Any, cast

from django.core import signing
from django.db import transaction
from django.utils.translation import gettext as _
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult

from mcp_server import approval, workers
from mcp_server.call import outages
from mcp_server.call.calls import Call, as_result
from mcp_server.declare.tools import Change, Endpoint
from mcp_server.ledger import events, idempotency
from rls.backends import lost

CONFIRMATION_SECONDS = 600


def perform(call: Call, agreed: Collection[str]) -> CallToolResult:
    """Do what is asked, once. `agreed` are the questions that a person has said yes to; any other one ends the call.

    Where the connection is lost before the commit, nothing is done yet: it is tried once more. Where it is lost during
    the commit, a key tells whether it was done.

    Raises ToolError: there is a question that nobody has agreed to. Raises outages.Unsettled: it may have been done.
    """
    if call.dry_run:
        return _told(call, *lost.again(lambda: rehearse(call)))
    with outages.unsettled_where(workers.is_decided, call):
        return lost.again(
            lambda: _perform(call, agreed),
            also=lost.is_read_only,
            may_repeat=lambda error: not workers.is_decided() or (call.has_key and not lost.is_silent(error)),
        )


def _perform(call: Call, agreed: Collection[str]) -> CallToolResult:
    keys = known_as(call)
    with call.working(), transaction.atomic(using=call.alias):
        if (kept := _claim(call, keys)) is not None:
            workers.decide()
            return as_result(call.spec.answer.model_validate(kept))
        with approval.answered_by(_only(agreed, call)):
            change = cast(Change, call.run())
        result = as_result(change)
        for key in keys:
            idempotency.keep(key, result.structured_content)
        if call.spec.endpoint is Endpoint.TENANT and change.has_changed():
            events.write(
                action=call.spec.name,
                subject=change.subject(),
                actor=call.principal.name,
                details=call.plain_arguments,
            )
        workers.decide()
        return result


def rehearse(call: Call) -> tuple[Change, list[str]]:
    """What would be answered, and what would be asked first; nothing is kept."""
    questions: list[str] = []
    with call.working(), transaction.atomic(using=call.alias):
        with approval.answered_by(questions.append):
            change = cast(Change, call.run())
        transaction.set_rollback(True, using=call.alias)
    return change, questions


def is_done(call: Call) -> bool:
    """Whether this very call was answered before, so that there is nothing to ask."""
    found = (idempotency.find(key, action=call.spec.name, digest=call.digest) for key in known_as(call))
    return any(answer is not None for answer in found)


def known_as(call: Call) -> list[str]:
    """The keys of a tenant's call: its confirmation, which is good for one change whatever comes with it, and its own.

    Whoever claims both claims them in this order, so that two calls wait for each other in one direction only.
    """
    if call.spec.endpoint is Endpoint.PLATFORM:
        return []
    keys = [f"confirmation {hashlib.sha256(call.confirmation.encode()).hexdigest()}"] if call.confirmation else []
    return [*keys, call.idempotency_key] if call.idempotency_key else keys


def confirms(call: Call, questions: list[str]) -> bool:
    """Whether the call brings the confirmation that a dry run of it gave for these questions."""
    try:
        asked = signing.loads(call.confirmation or "", salt=_salt(call), max_age=CONFIRMATION_SECONDS)
    except signing.BadSignature:
        return False
    return bool(asked[0] == _digest(questions))


def _told(call: Call, change: Change, questions: list[str]) -> CallToolResult:
    step = _("To do it, call {tool} with the same arguments and without dry_run.").format(tool=call.spec.name)
    told = change.model_copy(update={"dry_run": True, "next_step": step})
    lines = [_("Dry run: nothing was changed."), told.text()]
    if questions:
        confirmation = signing.dumps([_digest(questions), secrets.token_hex(4)], salt=_salt(call))
        step = _("If the answer is yes, call {tool} with the same arguments and confirmation={confirmation}.").format(
            tool=call.spec.name, confirmation=confirmation
        )
        told = told.model_copy(
            update={"question": " ".join(questions), "confirmation": confirmation, "next_step": step}
        )
        lines.append(_("A person has to agree first: {question}").format(question=told.question))
    return as_result(told, "\n".join([*lines, step]))


def _claim(call: Call, keys: list[str]) -> Any | None:
    """Take every key for this call, or return the answer that one of them has, which is then that of all."""
    answers = {key: idempotency.claim(key, action=call.spec.name, digest=call.digest) for key in keys}
    kept = next((answer for answer in answers.values() if answer is not None), None)
    if kept is not None:
        for key in (key for key, answer in answers.items() if answer is None):
            idempotency.keep(key, kept)
    return kept


def _only(agreed: Collection[str], call: Call) -> Callable[[str], None]:
    def answer(question: str) -> None:
        if question not in agreed:
            raise ToolError(
                _("A person has to agree first: {question}").format(question=question)
                + " "
                + _("Call {tool} with dry_run=true to see it.").format(tool=call.spec.name)
            )

    return answer


def _salt(call: Call) -> str:
    return f"confirmation {call.digest.hex()}"


def _digest(questions: list[str]) -> str:
    return hashlib.sha256("\n".join(questions).encode()).hexdigest()
