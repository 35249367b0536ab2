"""Blocks in which no statement takes longer than so many seconds: PostgreSQL cancels it, whatever runs in them.

The backend sends `SET LOCAL statement_timeout` with each statement of such a block, as it sends the tenant: it costs no
message. PostgreSQL measures each statement of a message by itself (20.11, `statement_timeout`), so the one that follows
the setting has all of the time. What the role itself may take stays the bound: a block can only shorten it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connections
from psycopg import ClientCursor, Connection
from psycopg.pq import TransactionStatus

from rls import blocks

# What PostgreSQL holds the setting in: an int4 of milliseconds.
MAX_SECONDS = 2_147_483

# The milliseconds that a statement of the connection's role may take; 0 where it has no limit.
ROLE_TIMEOUT_SQL = """
SELECT (EXTRACT(epoch FROM pg_catalog.current_setting('statement_timeout')::pg_catalog.interval) * 1000)::int8
"""

_milliseconds: ContextVar[int | None] = ContextVar("rls_statement_timeout", default=None)


@contextmanager
def statement_timeout(seconds: float) -> Iterator[None]:
    """Within the block a statement is cancelled after so many seconds, or after those of its role or of the block
    around it, where these are fewer.

    That goes for the serving roles, by whose backend it is sent, and for no other backend: a migration takes its time.
    It follows `await`, `sync_to_async` and callbacks of `on_commit`, as a tenant context does. In a transaction that is
    open already, what was set before holds again after the block.

    Raises ValueError: `seconds` is not above 0, or more than PostgreSQL can count. OperationalError, from the statement
    that took too long; its `__cause__` has the SQLSTATE 57014. IsolationError: on entering, in a generator.
    """
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError(f"a statement may take more than 0 and at most {MAX_SECONDS} seconds, not {seconds!r}")
    blocks.refuse_generator(sys._getframe(1))
    wanted, outer = max(1, round(seconds * 1000)), _milliseconds.get()  # 0 would be no limit
    with ExitStack() as transactions:
        for connection in connections.all(initialized_only=True):
            if connection.in_atomic_block and connection.vendor == "postgresql":
                transactions.enter_context(_set_back(connection))
        token = _milliseconds.set(wanted if outer is None else min(wanted, outer))
        try:
            yield
        finally:
            _milliseconds.reset(token)


def remember(connection: Connection[Any]) -> None:
    """Ask once, before anything is set, how long a statement of this connection's role may take."""
    # Not with a cursor of ours, which would send what the blocks around us want.
    [milliseconds] = ClientCursor(connection).execute(ROLE_TIMEOUT_SQL).fetchone() or (0,)
    connection.__dict__["rls_statement_timeout"] = milliseconds


def of_role(connection: Connection[Any]) -> float | None:
    """How many seconds a statement of this connection's role may take; None where it has no limit, or was not asked."""
    milliseconds = connection.__dict__.get("rls_statement_timeout")
    return milliseconds / 1000 if milliseconds else None


def milliseconds(connection: Connection[Any]) -> int | None:
    """What to send with a statement on this connection; None outside of any block."""
    wanted = _milliseconds.get()
    if wanted is None:
        return None
    return min(wanted, connection.__dict__.get("rls_statement_timeout") or wanted)


@contextmanager
def _set_back(connection: Any) -> Iterator[None]:
    """What holds in an open transaction, set again after the block; where that failed, it is undone with the rest."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.current_setting('statement_timeout')")
        [before] = cursor.fetchone()
    try:
        yield
    finally:
        is_open = connection.connection is not None and not connection.needs_rollback
        if is_open and connection.connection.info.transaction_status == TransactionStatus.INTRANS:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = %s", [before])
