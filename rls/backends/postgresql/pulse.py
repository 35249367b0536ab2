"""Whether a database that a statement waits for still answers.

# Note [Silence]
A host that disappears, and a proxy that accepts bytes and forwards none, look like a slow statement: nothing arrives
and nothing ends. The kernel notices the first (`tcp_user_timeout`, keepalives) but not the second. So a statement
that has waited for a second asks the database something else on another connection. Where that is not answered
either, the connection is closed. A slow statement of a database that answers goes on, however long it takes.
A serving process keeps one connection for this question: a connection that was opened before the silence shares its
fate, while something else may answer a new one. Behind a pooler it keeps none, because the question would wait for
the statements of others: there it opens a new connection and counts the answer to that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from time import monotonic
from typing import Any

from psycopg import Error, conninfo
from psycopg.pq import PGconn, Ping

from rls.backends.postgresql.connection import Connection, Silent

# Seconds: to wait for an answer; for which an answer counts for everybody; for which a missing answer is remembered.
CONNECT_TIMEOUT = 3
ANSWER_LIFETIME = 1
SILENCE_LIFETIME = 10

# Parameters of psycopg and of the tenants' cursors, which libpq does not know.
OWN_PARAMETERS = frozenset({"autocommit", "context", "cursor_factory", "prepare_threshold", "row_factory"})


class Pulse:
    """Asks one database, as one role, whether it answers; threads share the answer. See Note [Silence]."""

    def __init__(self, parameters: Callable[[], dict[str, Any]]) -> None:
        self._parameters = parameters
        self._lock = threading.Lock()
        self._kept: Connection | None = None
        self._keeps = False
        self._is_pooled = False
        self._asked_at = float("-inf")
        self._beats = True

    def beats(self) -> bool:
        """Whether the database answers. One thread asks for all threads, for `CONNECT_TIMEOUT` seconds at most."""
        with self._lock:
            if monotonic() - self._asked_at > ANSWER_LIFETIME:
                # In a context of its own: calling off the statement that waits must not call off this question.
                self._beats = Context().run(self._ask)
                self._asked_at = monotonic()
            return self._beats

    def was_missed(self) -> bool:
        """Whether the last question, asked less than `SILENCE_LIFETIME` seconds ago, had no answer."""
        return not self._beats and monotonic() - self._asked_at < SILENCE_LIFETIME

    def keep(self) -> None:
        """Keep a connection open for the question from now on."""
        self._keeps = True
        self._renew()

    def renew(self) -> None:
        """Open another connection in the background where the kept one has ended."""
        # The thread that holds the lock is asking, and opens one itself.
        if self._keeps and self._lock.acquire(blocking=False):
            try:
                is_kept = self._is_pooled or (self._kept is not None and not self._kept.has_ended())
            finally:
                self._lock.release()
            if not is_kept:
                threading.Thread(target=Context().run, args=(self._renew,), daemon=True).start()

    def end(self) -> None:
        """Close the kept connection and keep none."""
        with self._lock:
            self._keeps = False
            self._close()

    def _renew(self) -> None:
        with self._lock, suppress(Error):
            if self._kept is None or self._kept.has_ended():
                self._open()

    def _ask(self) -> bool:
        if self._kept is not None and not self._kept.has_ended():
            try:
                self._kept.execute("SELECT 1")
            except Silent:
                self._close()
                return False
            except Error:  # the connection has ended: that is an answer, so ask on a new one
                self._close()
            else:
                return True
        try:
            self._open()
        except Error:
            # A server that refuses a connection (the role has reached its limit) answers, so it is alive.
            return PGconn.ping(conninfo.make_conninfo("", **self._libpq()).encode()) == Ping.OK
        return True

    def _open(self) -> None:
        self._close()
        connection = Connection.connect("", autocommit=True, **self._libpq())
        connection.timeout = CONNECT_TIMEOUT
        if self._keeps and not self._is_pooled:
            self._is_pooled = not _is_direct(connection)
        if self._keeps and not self._is_pooled:
            self._kept = connection
        else:
            connection.close()

    def _close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _libpq(self) -> dict[str, Any]:
        given = {name: value for name, value in self._parameters().items() if name not in OWN_PARAMETERS}
        return given | {"connect_timeout": CONNECT_TIMEOUT, "application_name": "pulse"}


def _is_direct(connection: Connection) -> bool:
    """Whether the server itself is at the other end: a pooler reports process ids that it has made up."""
    row = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    return row == (connection.info.backend_pid,)
