"""Tells a lost connection from a wrong statement, and calls again on a new connection.

PostgreSQL rolls back what was open in a transaction. Only the outcome of a COMMIT that was on its way is unknown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import psycopg
from django.db import InterfaceError, connections
from psycopg_pool import PoolTimeout

from rls.backends.postgresql.connection import Silent
from rls.errors import WriteRefused

logger = logging.getLogger(__name__)

T = TypeVar("T")
Question = Callable[[BaseException], bool]

# PostgreSQL, appendix A: shut down by an administrator, in a crash, not yet accepting connections, the database
# dropped, a session idle for too long; one idle in its transaction, or too long in it; too many connections. Class 08
# is connection exceptions.
LOST_SQLSTATES = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04", "53300"})
# A standby refuses writes with it: a failover has turned the server that we are connected to into a standby.
READ_ONLY_SQLSTATE = "25006"


def is_lost(error: BaseException) -> bool:
    """Whether this error, or one in its chain of causes, says that the connection was lost."""
    return any(_says_so(each) for each in _chain(error))


def is_read_only(error: BaseException) -> bool:
    """Whether the statement tried to write on a standby; not what `rls.read_only()` has refused."""
    chain = list(_chain(error))
    is_refused = any(isinstance(each, WriteRefused) for each in chain)
    return not is_refused and any(
        isinstance(each, psycopg.Error) and each.sqlstate == READ_ONLY_SQLSTATE for each in chain
    )


def has_waited(error: BaseException) -> bool:
    """Whether the pool had no connection within its timeout: another try would only wait again."""
    return any(isinstance(each, PoolTimeout) for each in _chain(error))


def is_silent(error: BaseException) -> bool:
    """Whether the database stopped answering without closing the connection."""
    return any(isinstance(each, Silent) for each in _chain(error))


def again(
    call: Callable[[], T], *, may_repeat: Question = lambda error: True, also: Question = lambda error: False
) -> T:
    """The result of `call`, which is called once more, on a new connection, where the first call lost its connection.

    Args:
        call: reads, or writes in one transaction, so that a failed call leaves nothing behind. Call this outside of
            any transaction.
        may_repeat: asked with the error before the second call; False raises the error instead.
        also: asked with an error that is no lost connection; True repeats for it too.
    """
    try:
        return call()
    except Exception as error:
        if not (may_help_again(error) or also(error)) or not may_repeat(error):
            raise
        warn(error)
        _leave_connections(is_read_only(error))
    return call()


def may_help_again(error: BaseException) -> bool:
    """Whether the same work may succeed on a new connection."""
    return is_lost(error) and not has_waited(error)


def warn(error: BaseException) -> None:
    """Log the lost connection for operators, with the class and SQLSTATE of its cause."""
    cause = next((each for each in _chain(error) if _says_so(each)), error)
    facts = {"error": type(cause).__name__, "sqlstate": getattr(cause, "sqlstate", None)}
    logger.warning("the connection to the database was lost", extra=facts)


def _leave_connections(are_wrong: bool) -> None:
    for connection in connections.all(initialized_only=True):
        if connection.connection is None or connection.in_atomic_block:
            continue
        if are_wrong:  # a standby keeps its connections open; closing this one makes the pool replace the others
            connection.connection.close()
        connection.close()


def _says_so(error: BaseException) -> bool:
    if isinstance(error, psycopg.DatabaseError) and error.sqlstate is not None:
        return error.sqlstate in LOST_SQLSTATES or error.sqlstate.startswith("08")
    if isinstance(error, psycopg.OperationalError):
        return True
    # Django raises its own where a connection was closed inside a transaction; psycopg's (with a cause) means misuse.
    return isinstance(error, InterfaceError) and error.__cause__ is None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
