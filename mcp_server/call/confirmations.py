"""A person's yes: what it is given to, how it travels, and that it is good for one change.

A yes is given to questions. It comes as a confirmation, which a dry run has signed for a client that can't ask, or in
the answer to a form (see mcp_server.call.asking).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.core import signing
from django.db import connections
from django.utils.translation import gettext as _

from mcp_server.call.calls import Call
from mcp_server.errors import Refusal
from rls.context import PLATFORM_ALIAS

LIFETIME_SECONDS = 600  # seconds
# No questions have this name.
NO_QUESTIONS = ""
# How the origin of platform work begins that a person has agreed to, and that came in a round to which nobody had to.
ORIGIN_PREFIX, ROUND_PREFIX = "mcp, agreed to in ", "mcp, in the round "

# The committed platform work of the last hours with this origin: no yes is good for as long.
USED_QUERY = """
SELECT EXISTS (
    SELECT FROM app.platform_audit AS a
    JOIN app.platform_outcome AS o USING (id)
    WHERE a.origin = %s AND a.opened_at > now() - interval '1 day' AND o.outcome = 'committed'
)
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What a service asks, and the id of what it is about."""

    text: str
    about: str


@dataclass(frozen=True, slots=True)
class Yes:
    """A person's yes. `questions` names what it was given to; `name` is its own, or '' where it can't come again."""

    questions: str
    name: str = ""


class ConfirmationUsed(Refusal):
    """A yes came a second time."""


def named(questions: Sequence[Question]) -> str:
    """A name of these very questions."""
    return hashlib.sha256(json.dumps([(each.text, each.about) for each in questions]).encode()).hexdigest()


def signed(call: Call, questions: Sequence[Question]) -> str:
    """The confirmation for this call, once a person has agreed to these questions."""
    return signing.dumps([named(questions), secrets.token_hex(4)], salt=_salt(call))


def of(call: Call) -> Yes | None:
    """The yes in the call's own `confirmation`, which was given to nothing where it is not for this call, or too old;
    None where there is none.
    """
    if call.confirmation is None:
        return None
    name = hashlib.sha256(call.confirmation.encode()).hexdigest()
    try:
        questions, _nonce = signing.loads(call.confirmation, salt=_salt(call), max_age=LIFETIME_SECONDS)
    except signing.BadSignature:
        return Yes(NO_QUESTIONS, name)
    return Yes(questions, name)


def key(yes: Yes) -> str:
    """The key under which a tenant's ledger keeps the answer to the call that a person agreed to."""
    return f"confirmation {yes.name}"


def origin(yes: Yes | None) -> str:
    """The origin of the platform work that a person agreed to, or that nobody was asked about."""
    if yes is None or not yes.name:
        return "mcp"
    return f"{ROUND_PREFIX if yes.questions == NO_QUESTIONS else ORIGIN_PREFIX}{yes.name}"


def require_unused(yes: Yes) -> None:
    """Take a yes for the platform work that is open. Whoever comes second waits for the first to end.

    Raises ConfirmationUsed.
    """
    with connections[PLATFORM_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [origin(yes)])
        cursor.execute(USED_QUERY, [origin(yes)])
        if cursor.fetchone() == (True,):
            raise ConfirmationUsed(
                _(
                    "This confirmation was for one change, which was made. For another change call again with "
                    "dry_run=true."
                )
            )


def _salt(call: Call) -> str:
    return f"confirmation {call.digest.hex()}"
