"""Puts a form before the person, and reads what the person has said.

In the protocol of 2026-07-28 the form is the result of a round, and the client calls again with the answer; what has
to be known then travels with it, sealed by the SDK for this caller, tool and arguments (`mcp.server.request_state`). In
the older ones the form is a request to the client in the middle of the call.
"""

from __future__ import annotations

import functools
import secrets
from contextlib import suppress
from typing import Any, Literal, Self, TypeVar

from django.utils import translation
from django.utils.translation import gettext as _
from mcp.server.elicitation import render_elicitation_schema
from mcp.server.mcpserver import AcceptedElicitation, Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import (
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    InputResponseRequestParams,
)
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field, ValidationError, create_model

from mcp_server import contacts
from mcp_server.http.streaming import ONE_PIECE_KEY

# The first protocol in which a form is a result: no channel back to the client is needed.
FIRST_VERSION_WITH_ROUNDS = "2026-07-28"
# The name of the one form of a round.
FORM_NAME = "form"

Form = TypeVar("Form", bound=BaseModel)


class Round(BaseModel):
    """What an earlier round of this call has asked, and what is known since.

    `questions` names the questions of an approval (see mcp_server.call.confirmations), `nonce` this round of all. A
    round of the tool's own has the tool's `state`, and the nonce of the round before it: together they are one call.
    """

    asked: Literal["reason", "approval", "tool"]
    reason: str = ""
    questions: str = ""
    state: str | None = None
    nonce: str = Field(default_factory=lambda: secrets.token_hex(16))

    @classmethod
    def before(cls, context: Context[Any, Any]) -> Self | None:
        """The round that this message answers; None for the first message of a call, and where the tool has asked that
        only reads.
        """
        if context.request_state is None:
            return None
        with suppress(ValidationError):
            return cls.model_validate_json(context.request_state)
        return None


def can_ask(context: Context[Any, Any]) -> bool:
    """Whether this client can put a form before a person, in this message."""
    declared = context.client_capabilities.elicitation if context.client_capabilities else None
    if declared is None or (declared.form is None and declared.url is not None):
        return False
    return _has_rounds(context) or (context.session.can_send_request and not _is_in_one_piece(context))


async def put(
    context: Context[Any, Any], question: str, form: type[Form], asked: Round, *, tool: str
) -> Form | InputRequiredResult | None:
    """The filled-in form; None where the person declined; where the protocol has rounds, the result of this one.

    Raises ToolError: the answer does not fit the form.
    """
    if _has_rounds(context):
        params = ElicitRequestFormParams(message=question, requested_schema=render_elicitation_schema(form))
        return InputRequiredResult(
            input_requests={FORM_NAME: ElicitRequest(params=params)}, request_state=asked.model_dump_json()
        )
    try:
        outcome = await context.elicit(contacts.told(question), form)
    except ValueError as error:
        raise _unfit(tool) from error
    return outcome.data if isinstance(outcome, AcceptedElicitation) else None


def filled_in(context: Context[Any, Any], form: type[Form], *, tool: str) -> Form | None:
    """The form of the round before, as the person has filled it in; None where the person declined, or said nothing.

    Raises ToolError: the answer does not fit the form.
    """
    answer = (context.input_responses or {}).get(FORM_NAME)
    if answer is None:
        return None
    if not isinstance(answer, ElicitResult):
        raise _unfit(tool)
    if answer.action != "accept":
        return None
    try:
        return form.model_validate(answer.content)
    except ValidationError as error:
        raise _unfit(tool) from error


def carried(question: InputRequiredResult, earlier: Round | None) -> InputRequiredResult:
    """A question of a changing tool's own, as a round that is good for one change."""
    own = Round(asked="tool", state=question.request_state)
    if earlier is not None:
        own.nonce = earlier.nonce
    return question.model_copy(update={"request_state": own.model_dump_json()})


def as_the_tool_knows_it(context: Context[Any, Any], earlier: Round | None) -> Context[Any, Any]:
    """The context that a changing tool is given: with its own state, and with answers to what it has asked alone."""
    if context.input_responses is None and context.request_state is None:
        return context
    answered = InputResponseRequestParams()
    if earlier is not None and earlier.asked == "tool":
        answered = InputResponseRequestParams(input_responses=context.input_responses, request_state=earlier.state)
    return Context(request_context=context.request_context, mcp_server=context.mcp_server, input_params=answered)


class Confirmation(BaseModel):
    """What the form of an approval holds."""

    confirm: bool


class Reason(BaseModel):
    """What the form that asks for a reason holds."""

    reason: str


def confirmation_form() -> type[Confirmation]:
    """The form of an approval, in the caller's language."""
    return _confirmation_form(translation.get_language())


def reason_form() -> type[Reason]:
    """The form that asks for a reason, in the caller's language."""
    text = Field(title=_("Reason"), min_length=1, max_length=500)
    return create_model("Reason", __base__=Reason, reason=(str, text))


@functools.lru_cache
def _confirmation_form(language: str) -> type[Confirmation]:
    return create_model("Confirmation", __base__=Confirmation, confirm=(bool, Field(title=_("Do it?"))))


def _has_rounds(context: Context[Any, Any]) -> bool:
    version = context.protocol_version
    return version is not None and is_version_at_least(version, FIRST_VERSION_WITH_ROUNDS)


def _is_in_one_piece(context: Context[Any, Any]) -> bool:
    # Over stdio there is no request.
    request = context.request_context.request
    return request is not None and ONE_PIECE_KEY in request.scope


def _unfit(tool: str) -> ToolError:
    words = _("The answer does not match the question. Nothing was changed; call {tool} again.")
    return ToolError(words.format(tool=tool))
