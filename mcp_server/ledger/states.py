"""What a tool keeps for a later call of the same caller, under a handle: it outlives connections and processes.

# Note [A handle]
A client that connects again has another session, if any, and its request may reach any process. So what a conversation
has to remember is a row, and its handle goes through the model: one tool answers with it, the next takes it as an
argument. A row is its tenant's (row-level security) and its caller's: to all others the handle is unknown. Of callers
without an id (`anyone`) whoever knows the handle, which nobody guesses, is the one.

It needs the app `mcp_server.ledger` in INSTALLED_APPS; the module can be imported without it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from datetime import timedelta
from typing import Any

from django.db import connections, router
from django.utils.translation import gettext as _

from mcp_server.errors import Refusal
from mcp_server.http.context import current_principal

# Characters of a state as JSON, and states of one caller.
MAX_LENGTH = 100_000
MAX_STATES = 100
LIFETIME = timedelta(days=1)
MAX_LIFETIME = timedelta(days=30)

HANDLE = re.compile(r"[\w-]{32}", re.ASCII)
HANDLE_BYTES = 24

# What others have locked is forgotten another time. Of a caller's many, those that end first make room.
ADD = """
    WITH expired AS (
        DELETE FROM mcp_ledger_state WHERE id IN (
            SELECT id FROM mcp_ledger_state
            WHERE expires_at <= pg_catalog.now()
            ORDER BY expires_at
            LIMIT 100
            FOR UPDATE SKIP LOCKED
        )
    ), crowded_out AS (
        DELETE FROM mcp_ledger_state WHERE id IN (
            SELECT id FROM mcp_ledger_state
            WHERE owner = %(owner)s AND expires_at > pg_catalog.now()
            ORDER BY expires_at DESC
            OFFSET %(others)s
            FOR UPDATE SKIP LOCKED
        )
    )
    INSERT INTO mcp_ledger_state (handle, owner, value, expires_at)
    VALUES (%(handle)s, %(owner)s, %(value)s, pg_catalog.now() + %(lifetime)s)
"""
REPLACE = """
    UPDATE mcp_ledger_state SET value = %(value)s, expires_at = pg_catalog.now() + %(lifetime)s
    WHERE handle = %(handle)s AND owner = %(owner)s AND expires_at > pg_catalog.now()
    RETURNING id
"""
FIND = """
    SELECT value FROM mcp_ledger_state
    WHERE handle = %(handle)s AND owner = %(owner)s AND expires_at > pg_catalog.now()
"""
FIND_LOCKED = f"{FIND} FOR UPDATE"
REMOVE = "DELETE FROM mcp_ledger_state WHERE handle = %(handle)s AND owner = %(owner)s RETURNING id"


class StateUnknown(Refusal):
    """No state of this caller has the handle, or not any more."""


class StateTooLarge(Refusal):
    """A state is longer than MAX_LENGTH."""


def save(value: Any, *, handle: str | None = None, lifetime: timedelta = LIFETIME) -> str:
    """Keep a JSON value for the caller until its lifetime ends, in place of what `handle` has. Answers the handle.

    It is called in a tool that changes something, and is a part of its transaction. Raises StateUnknown, StateTooLarge;
    TypeError or ValueError: the value is none of JSON, or a lifetime is none, or longer than MAX_LIFETIME.
    """
    if not timedelta(0) < lifetime <= MAX_LIFETIME:
        raise ValueError(f"a state lives for {lifetime}: write up to {MAX_LIFETIME.days} days, as timedelta(hours=1)")
    # As ASCII: a text of PostgreSQL holds no NUL and no half of a character, and JSON does.
    written = json.dumps(value, allow_nan=False, separators=(",", ":"))
    if len(written) > MAX_LENGTH:
        raise StateTooLarge(
            _(
                "What has to be kept for the next call is too long: {found} characters, and the limit is {limit}. "
                "Nothing was changed. Ask for less in one call."
            ).format(found=len(written), limit=MAX_LENGTH)
        )
    facts = {"value": written, "lifetime": lifetime}
    if handle is None:
        handle = secrets.token_urlsafe(HANDLE_BYTES)
        _run(ADD, handle, others=MAX_STATES - 1, **facts)
    elif not _run(REPLACE, handle, **facts):
        raise _unknown()
    return handle


def restore(handle: str, *, for_update: bool = False) -> Any:
    """The value that the caller has kept under the handle. With `for_update`, in a tool that changes something, other
    calls that restore it so wait until this one ends. Raises StateUnknown.
    """
    found = _run(FIND_LOCKED if for_update else FIND, handle)
    if not found:
        raise _unknown()
    return json.loads(found[0][0])


def forget(handle: str) -> None:
    """Forget what the caller has kept under the handle. Raises StateUnknown."""
    if not _run(REMOVE, handle):
        raise _unknown()


def _run(statement: str, handle: str, **facts: Any) -> list[Any]:
    # Here, because a project whose tools only read has the call pipeline and not this app.
    from mcp_server.ledger.models import State

    if not HANDLE.fullmatch(handle):
        return []
    # The subject, of any length, has the tenant's id in it.
    owner = hashlib.sha256(current_principal().subject.encode()).hexdigest()
    with connections[router.db_for_write(State)].cursor() as cursor:
        cursor.execute(statement, {"handle": handle, "owner": owner, **facts})
        return cursor.fetchall() if cursor.description else []


def _unknown() -> StateUnknown:
    return StateUnknown(
        _("This handle is not known, or what was kept under it has expired. Begin anew with the tool that gives one.")
    )
