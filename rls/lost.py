"""Errors that say that the connection to the database was lost, and not that a statement was wrong.

What was open in a transaction is rolled back then. Only of a COMMIT that was on its way nothing is known.
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
STATES = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04", "53300"})
# A standby answers so where a primary would write: what was connected to has changed its part.
READ_ONLY = "25006"


def is_lost(error: BaseException) -> bool:
    """Whether this error, or one that it came from, says that the connection is gone."""
    return any(_says_so(each) for each in _chain(error))


def is_read_only(error: BaseException) -> bool:
    """Whether a standby was written to; not what `rls.read_only()` has refused."""
    chain = list(_chain(error))
    is_refused = any(isinstance(each, WriteRefused) for each in chain)
    return not is_refused and any(isinstance(each, psycopg.Error) and each.sqlstate == READ_ONLY for each in chain)


def has_waited(error: BaseException) -> bool:
    """Whether there was no connection to be had for as long as one waits for it: no other try would help."""
    return any(isinstance(each, PoolTimeout) for each in _chain(error))


def is_silent(error: BaseException) -> bool:
    """Whether nobody has closed the connection, and nothing came."""
    return any(isinstance(each, Silent) for each in _chain(error))


def again(
    call: Callable[[], T], *, may_repeat: Question = lambda error: True, also: Question = lambda error: False
) -> T:
    """Call; where the connection is lost, or `also` says so, call once more, on a new one.

    `call` leaves nothing behind where it fails: it reads, or writes in one transaction. It is called outside of any.
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
    """Whether a new connection may do what this one could not."""
    return is_lost(error) and not has_waited(error)


def warn(error: BaseException) -> None:
    """Tell operators of the cut; the log keeps one line of many (see core.logs)."""
    cause = next((each for each in _chain(error) if _says_so(each)), error)
    facts = {"error": type(cause).__name__, "sqlstate": getattr(cause, "sqlstate", None)}
    logger.warning("the connection to the database was lost", extra=facts)


def _leave_connections(are_wrong: bool) -> None:
    for connection in connections.all(initialized_only=True):
        if connection.connection is None or connection.in_atomic_block:
            continue
        if are_wrong:  # a standby has closed nothing, and what is closed here takes its neighbours in the pool along
            connection.connection.close()
        connection.close()


def _says_so(error: BaseException) -> bool:
    if isinstance(error, psycopg.DatabaseError) and error.sqlstate is not None:
        return error.sqlstate in STATES or error.sqlstate.startswith("08")
    if isinstance(error, psycopg.OperationalError):
        return True
    # Django's own, for a connection that was closed inside a transaction; psycopg's tell of misuse.
    return isinstance(error, InterfaceError) and error.__cause__ is None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
