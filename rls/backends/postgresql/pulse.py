"""Whether a database that is waited for still lives.

# Note [Silence]
A host that has gone without a word, and a proxy that takes bytes and forwards none, look like a slow statement: nothing
comes, and nothing ends. The kernel notices the first (`tcp_user_timeout`, keepalives), not the second. So whoever has
waited for a second asks the database something else, beside the connection that waits: where that is not answered
either, the connection is given up. A slow statement of a living database is left alone, however long it takes.
A serving process keeps a connection for the question: one that was opened before the silence shares its fate, where
new ones may be answered by something else. Behind a pooler it keeps none, since the question would take its turn with
the statements of others: there the answer to a new connection is what counts.
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

# Seconds: for the answer; for which an answer is good; for which silence is remembered.
PATIENCE = 3
FRESH = 1
REMEMBERED = 10

# What is no parameter of libpq, or of the tenants' cursors.
OURS = frozenset({"autocommit", "context", "cursor_factory", "prepare_threshold", "row_factory"})


class Pulse:
    """The pulse of one database, as one role. See Note [Silence]."""

    def __init__(self, parameters: Callable[[], dict[str, Any]]) -> None:
        self._parameters = parameters
        self._lock = threading.Lock()
        self._kept: Connection | None = None
        self._keeps = False
        self._is_pooled = False
        self._asked_at = float("-inf")
        self._beats = True

    def beats(self) -> bool:
        """Whether the database answers. One thread asks for all; it takes up to three seconds."""
        with self._lock:
            if monotonic() - self._asked_at > FRESH:
                # In a context of its own: the question is not called off with the statement that waits.
                self._beats = Context().run(self._ask)
                self._asked_at = monotonic()
            return self._beats

    def was_missed(self) -> bool:
        """Whether there was none when somebody asked last, and that is not long ago."""
        return not self._beats and monotonic() - self._asked_at < REMEMBERED

    def keep(self) -> None:
        """Keep a connection for the question from now on."""
        self._keeps = True
        self._renew()

    def renew(self) -> None:
        """Where what is kept has ended, open another one, in the background."""
        # Who holds the lock is asking, and opens one itself.
        if self._keeps and self._lock.acquire(blocking=False):
            try:
                is_kept = self._is_pooled or (self._kept is not None and not self._kept.has_ended())
            finally:
                self._lock.release()
            if not is_kept:
                threading.Thread(target=Context().run, args=(self._renew,), daemon=True).start()

    def end(self) -> None:
        """Close what is kept, and keep nothing."""
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
            except Error:  # it has ended, and was not silent
                self._close()
            else:
                return True
        try:
            self._open()
        except Error:
            # Whoever refuses a connection is alive: a role has only so many.
            return PGconn.ping(conninfo.make_conninfo("", **self._libpq()).encode()) == Ping.OK
        return True

    def _open(self) -> None:
        self._close()
        connection = Connection.connect("", autocommit=True, **self._libpq())
        connection.patience = PATIENCE
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
        given = {name: value for name, value in self._parameters().items() if name not in OURS}
        return given | {"connect_timeout": PATIENCE, "application_name": "pulse"}


def _is_direct(connection: Connection) -> bool:
    """Whether the server itself is at the other end: a pooler tells of process ids that it has made up."""
    row = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    return row == (connection.info.backend_pid,)
