"""Asking the person: resolvers that the SDK runs before a tool (its module `mcp.server.mcpserver.resolve`).

In the protocol of 2026-07-28 the question is the result of a first round, and the client comes back with the answer; in
the older ones it is a request to the client in the middle of the call.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import replace
from typing import Annotated, Any

from django.utils import translation
from django.utils.translation import gettext as _
from mcp.server.mcpserver import AcceptedElicitation, Context, Elicit, ElicitationResult, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field, create_model

from mcp_server import workers
from mcp_server.call import transaction
from mcp_server.call.calls import Call
from mcp_server.http.streaming import ONE_PIECE
from mcp_server.principals import Principal
from rls.backends import lost

# The first protocol in which a question is a result: no channel back to the client is needed.
ROUNDS = "2026-07-28"

# How the SDK's refusal of an answer begins, which names the resolver. A sku or a name may begin with its first word.
UNFIT = f"Resolver '{__name__}:"

# What the resolver of this call has asked; the tool's function runs next in the same task.
_asked: ContextVar[tuple[str, ...]] = ContextVar("mcp_asked", default=())

Resolver = Callable[..., Awaitable[Any]]
# Checks the scope, gives the principal, and turns errors into words: see mcp_server.call.pipeline.
Recorded = Callable[..., AbstractContextManager[Principal]]


def approval_resolver(recorded: Recorded, call_of: Callable[[Principal, dict[str, Any]], Call]) -> Resolver:
    """Ask what the service asks (see mcp_server.approval), unless the call was confirmed in two steps."""

    async def approval(*, context: Context[Any, Any], stated_reason: Any = None, **given: Any) -> Any:
        _asked.set(())
        with recorded(outcome="") as principal:
            call = call_of(principal, given)
            if stated_reason is not None:
                call = replace(call, reason=stated(stated_reason))
            questions = await workers.run(lost.again, functools.partial(_open_questions, call))
            _asked.set(tuple(questions))
            if not questions:
                return None
            if call.confirmation is None:
                return _question(context, call, " ".join(questions))
            if not transaction.confirms(call, questions):
                raise ToolError(
                    _(
                        "The confirmation is not for this call as things stand now. "
                        "Call {tool} with dry_run=true again."
                    ).format(tool=call.spec.name)
                )
        return None

    return approval


def reason_resolver(recorded: Recorded, name: str) -> Resolver:
    """Ask why, where the call does not say it."""

    async def stated_reason(context: Context[Any, Any], reason: str) -> Any:
        with recorded(outcome=""):
            if reason.strip():
                return reason
            if can_ask(context):
                question = _("Why is {tool} called? The reason is kept in the audit.").format(tool=name)
                return Elicit(question, _reason_form())
            refusal = _("Say why: call {tool} again with a reason. It is kept in the audit.")
            raise ToolError(refusal.format(tool=name))

    return stated_reason


def outcome_of(resolver: Resolver) -> Any:
    """The annotation of a parameter that takes what a resolver found, or what the person answered."""
    return Annotated[ElicitationResult[Any], Resolve(resolver)]


def agreed(outcome: Any) -> tuple[str, ...]:
    """The questions that are agreed to. Raises ToolError: the person has said no."""
    if isinstance(outcome, AcceptedElicitation) and getattr(outcome.data, "confirm", True):
        return _asked.get()
    raise ToolError(_("The person did not agree. Nothing was changed."))


def stated(outcome: Any) -> str:
    """The reason, whether it came with the call or was asked for. Raises ToolError: the person gave none."""
    data = outcome.data if isinstance(outcome, AcceptedElicitation) else ""
    reason = str(getattr(data, "reason", data)).strip()
    if not reason:
        raise ToolError(_("Nobody gave a reason. Nothing was done."))
    return reason


def can_ask(context: Context[Any, Any]) -> bool:
    """Whether this client can put a form before a person, in this message."""
    declared = context.client_capabilities.elicitation if context.client_capabilities else None
    if declared is None or (declared.form is None and declared.url is not None):
        return False
    version = context.protocol_version
    has_rounds = version is not None and is_version_at_least(version, ROUNDS)
    return has_rounds or (context.session.can_send_request and not _is_in_one_piece(context))


def _is_in_one_piece(context: Context[Any, Any]) -> bool:
    # Over stdio there is no request.
    request = context.request_context.request
    return request is not None and ONE_PIECE in request.scope


def _open_questions(call: Call) -> list[str]:
    return [] if call.dry_run or transaction.is_done(call) else transaction.rehearse(call)[1]


def _question(context: Context[Any, Any], call: Call, question: str) -> Elicit[Any]:
    if can_ask(context):
        return Elicit(question, _confirmation_form(translation.get_language()))
    raise ToolError(
        _("A person has to agree first: {question}").format(question=question)
        + " "
        + _(
            "Nobody can be asked over this connection, so it takes two steps: call {tool} with dry_run=true, show "
            "the person the question, and, if the answer is yes, call {tool} again with the confirmation that the "
            "dry run gave."
        ).format(tool=call.spec.name)
    )


@functools.lru_cache
def _confirmation_form(language: str) -> type[BaseModel]:
    return create_model("Confirmation", confirm=(bool, Field(title=_("Do it?"))))


def _reason_form() -> type[BaseModel]:
    text = Field(title=_("Reason"), min_length=1, max_length=500)
    return create_model("Reason", reason=(str, text))
