"""The cursors: they send the tenant with every statement.

# Note [The prefix]
A statement is sent as `SET LOCAL app.current_tenant='<uuid>';<statement>` in one message of the simple query protocol
(PostgreSQL 55.2.2.1). Outside a transaction block the server runs such a message as one implicit transaction, so the
variable ends with the statement and nothing stays on the connection.
Without a context the variable is sent as '', not left out: a value that somebody set on the session, or that an
earlier context left in this transaction, must not be found. `row_security = off` goes with it: PostgreSQL then refuses
to plan a statement that a policy would filter, even on an empty table.

# Note [The slow road]
The simple protocol accepts several statements, and so it would run a `; SET ...` that was injected into the text or
through a placeholder in quotes. Where the bound text has a `;`, the statement is sent alone through the extended
protocol, which accepts exactly one: PostgreSQL decides what a statement is, not a parser of ours.
A statement that does not begin like one on rows takes this road too. PostgreSQL's command tag then says what it did,
and what a serving role has no business with is rolled back before it can commit: ALTER ROLE on oneself, DROP OWNED,
LISTEN and cursors WITH HOLD need no privilege that could be revoked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NoReturn, Self

from django.db import NotSupportedError
from django.db.backends.postgresql import base as stock
from psycopg import ClientCursor, Connection
from psycopg.pq import PipelineStatus, TransactionStatus

from rls import timeouts
from rls.backends.interruption import refuse_called_off
from rls.backends.postgresql import statements
from rls.context import current_tenant_id, platform_record
from rls.reading import is_read_only

# Command tags (PostgreSQL 55.7, CommandComplete) of what a serving role may do on the slow road.
ROW_TAGS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "EXPLAIN", "SHOW", "SET CONSTRAINTS"})
SAVEPOINT_TAGS = frozenset({"SAVEPOINT", "RELEASE", "ROLLBACK"})


def turn(connection: Connection[Any]) -> threading.RLock:
    """The lock to hold while sending on this connection: a prefix and its statement may be two messages."""
    lock: threading.RLock = connection.__dict__.setdefault("rls_turn", threading.RLock())
    return lock


class Cursor(stock.Cursor, ClientCursor[Any]):
    """A client-side binding cursor whose statements carry the tenant of the open context."""

    # The last statement with its values bound, without the prefix: what Django logs.
    statement: str | None = None

    _is_alone = False
    _is_many = False

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        self.statement = None
        refuse_called_off()
        with turn(self.connection):
            self.statement = self.mogrify(query, params)
            self._send(self.statement, options)
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        refuse_called_off()
        # Before the lock is taken: computing a value may send a statement on this very connection.
        values = list(params_seq)
        with turn(self.connection):
            self._refuse_pipeline()
            with self._transaction() as is_own:
                super().execute(self._prefix())
                # In a savepoint of its own, so that a refusal in the middle undoes the rows sent before it.
                with nullcontext() if is_own else self.connection.transaction(), self._alone(many=True):
                    super().executemany(query, values, **options)

    def copy(self, *args: Any, **options: Any) -> NoReturn:
        raise NotSupportedError("COPY does not carry a tenant; use bulk_create() to write, iterator() to read")

    def stream(self, *args: Any, **options: Any) -> NoReturn:
        raise NotSupportedError("stream() does not carry a tenant; use iterator() or page by key")

    def _send(self, text: str, options: dict[str, Any]) -> None:
        self._refuse_pipeline()
        # A trailing `;` ends a statement and begins none, so it needs no slow road.
        text = text.rstrip(" \t\n\r\f;")
        is_on_rows = statements.is_on_rows(text)
        if not is_on_rows:
            self._refuse_lasting(text)
        if self.connection.pgconn.transaction_status == TransactionStatus.INERROR:
            # In a failed transaction only a ROLLBACK can run; a prefix before it would fail first.
            with self._alone():
                super().execute(text, **options)
        elif is_on_rows and ";" not in text:
            super().execute(self._prefix() + text, **options)
            # The prefix has results of its own; the statement's is the last one.
            self.set_result(-1)
        else:
            with self._transaction() as is_own:
                super().execute(self._prefix())
                # No savepoint around a SET LOCAL: its release would end SET TRANSACTION READ ONLY, and keep SET
                # CONSTRAINTS.
                is_local = statements.is_local(text)
                if statements.is_set(text):
                    self._refuse_set(text, is_own=is_own)
                savepoint = nullcontext() if is_own or is_on_rows or is_local else self.connection.transaction()
                with savepoint, self._alone():
                    super().execute(text, **options)
                    if not is_local:
                        self._check_tag()

    def _check_tag(self) -> None:
        """Raise, so that the transaction around it rolls back, unless the tag is one that serving needs."""
        if self.statusmessage is None:  # an empty statement
            return
        words = self.statusmessage.split(" ")
        tag = words[0] if words[0] in ROW_TAGS else " ".join(words)
        if tag not in ROW_TAGS and tag not in SAVEPOINT_TAGS:
            self._reset()
            raise NotSupportedError(
                f"{tag} was rolled back: a serving connection reads and writes rows; use a migration, as the owner"
            )

    def _refuse_lasting(self, text: str) -> None:
        """Raise, before it is sent, for what would be done whatever is raised afterwards."""
        word = statements.lasting(text)
        if word == "PREPARE":
            raise NotSupportedError(
                "PREPARE was rolled back: a serving connection keeps no statements; send the statement itself"
            )
        if word:
            raise NotSupportedError(f"{word} is refused: use transaction.atomic(), which knows how it ends")

    def _refuse_set(self, text: str, *, is_own: bool) -> None:
        """Raise where a SET would leave something on the connection, which serves the next tenant.

        Before it is sent: the name of a setting that is made up stays when its value is rolled back.
        """
        word, *second = statements.words(text, 2)
        if not statements.is_local(text) or (is_own and second != ["CONSTRAINTS"]):
            raise NotSupportedError(
                f"{word} was rolled back: a serving connection reads and writes rows; "
                "use SET LOCAL, and a name without quotes, inside transaction.atomic()"
            )
        setting = statements.local_setting(text)
        if setting == "seed":
            raise NotSupportedError("SET LOCAL seed is refused: random() would go on from it for the next tenant")
        if setting and "." in setting:
            super().execute("SELECT pg_catalog.current_setting(%s, true) IS NOT NULL", [setting])
            if self.pgresult is None or self.pgresult.get_value(0, 0) != b"t":
                raise NotSupportedError(
                    f"SET LOCAL {setting} is refused: the server does not know the name, and would show it to the "
                    f"next tenant; declare it: ALTER ROLE {self.connection.info.user} SET {setting} = ''"
                )

    def _refuse_pipeline(self) -> None:
        if self.connection.pgconn.pipeline_status != PipelineStatus.OFF:
            raise NotSupportedError(
                "a pipeline would send statements without their tenant; use executemany() outside of it"
            )

    def _execute_send(self, query: Any, *, force_extended: bool = False, binary: bool | None = None) -> None:
        # Every statement of psycopg passes here, with its values bound.
        if self._is_many and not statements.is_on_rows(query.query.decode(self.connection.info.encoding)):
            raise NotSupportedError("executemany() is for statements on rows; use execute()")
        super()._execute_send(query, force_extended=force_extended or self._is_alone, binary=binary)

    @contextmanager
    def _alone(self, *, many: bool = False) -> Iterator[None]:
        """Within the block PostgreSQL refuses what is more than one statement. See Note [The slow road]."""
        self._is_alone, self._is_many = True, many
        try:
            yield
        finally:
            self._is_alone = self._is_many = False

    @contextmanager
    def _transaction(self) -> Iterator[bool]:
        """Outside a transaction, one for this block: True. Inside one nothing: False."""
        if self.connection.pgconn.transaction_status == TransactionStatus.IDLE and self.connection.autocommit:
            with self.connection.transaction():
                yield True
        else:
            yield False

    def _prefix(self) -> str:
        """See Note [The prefix]. The text of a UUID holds nothing to escape."""
        tenant_id = current_tenant_id()
        row_security = "off" if tenant_id is None else "on"
        prefix = f"SET LOCAL app.current_tenant='{tenant_id or ''}';SET LOCAL row_security={row_security};"
        return prefix + self._bounds()

    def _bounds(self) -> str:
        """What the blocks around a statement forbid it: see rls.reading, Note [Read only], and rls.timeouts."""
        bounds = "SET LOCAL transaction_read_only=on;" if is_read_only() else ""
        limit = timeouts.milliseconds(self.connection)
        return bounds if limit is None else f"{bounds}SET LOCAL statement_timeout={limit};"


class PlatformCursor(Cursor):
    """A cursor of `app_platform`, which also sends the id of its platform work's record in `app.platform_audit`."""

    def _prefix(self) -> str:
        record = platform_record(self.connection)
        row_security = "off" if record is None else "on"
        prefix = (
            f"SET LOCAL app.current_tenant='{current_tenant_id() or ''}';SET LOCAL row_security={row_security};"
            f"SET LOCAL app.platform_audit_id='{record or ''}';"
        )
        return prefix + self._bounds()


def refuse_server_cursor(*args: Any, **options: Any) -> NoReturn:
    """Replaces psycopg's server-side cursors, which fetch rows later than their statement, maybe in another context."""
    raise NotSupportedError("a server-side cursor would read its rows in another context; use iterator()")
