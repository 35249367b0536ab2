"""The PostgreSQL backend of Django with one change: every statement carries its tenant.

# Note [The prefix]
A statement leaves as `SET LOCAL app.current_tenant='<uuid>';<statement>` in one message of the simple
query protocol (PostgreSQL 55.2.2.1): outside a transaction block the server runs such a message as one
implicit transaction, so the variable ends with the statement and nothing is left on the connection.
Without a context the variable is sent as '' and not left out: a value that somebody set on the session,
or that an earlier context left in this transaction, must not be found.

# Note [The slow road]
The simple protocol accepts several statements, and so a `; SET ...` that was injected. Where the text
(before parameters are bound) has a `;`, the statement goes alone through the extended protocol, which
takes exactly one: PostgreSQL decides what a statement is, and no parser of ours does.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Self
from weakref import WeakSet

from django.core.exceptions import ImproperlyConfigured
from django.db import NotSupportedError
from django.db.backends.postgresql import base as stock
from psycopg import ClientCursor, Connection, sql
from psycopg.pq import TransactionStatus

from rls import roles
from rls.context import current_tenant_id

# Command tags of statements that change the session rather than data. A connection that ran one is replaced
# as soon as its transaction is over.
SESSION_TAGS = frozenset({"SET", "RESET", "PREPARE", "DECLARE CURSOR", "LOAD"})

# Connections whose role has been looked at, and those whose session a statement changed.
_bound: WeakSet[Connection[Any]] = WeakSet()
_changed: WeakSet[Connection[Any]] = WeakSet()


class Cursor(stock.Cursor, ClientCursor[Any]):
    """A client-side binding cursor whose statements carry the tenant of the open context."""

    _extended = False

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        status = self.connection.info.transaction_status
        text = query if isinstance(query, str) else self._text(query)
        if ";" in text:
            self._execute_alone(text, params, status, options)
        elif status == TransactionStatus.INERROR:  # only a ROLLBACK can run, and no SET before it
            super().execute(text, params, **options)
        else:
            super().execute(self._prefix() + text, params, **options)
            self.nextset()
        self._look_at_the_tag()
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        with self._transaction(self.connection.info.transaction_status):
            super().execute(self._prefix())
            super().executemany(self._text(query), params_seq, **options)

    def copy(self, *args: Any, **options: Any) -> Any:
        raise NotSupportedError("COPY does not carry a tenant; use bulk_create() to write, iterator() to read")

    def stream(self, *args: Any, **options: Any) -> Any:
        raise NotSupportedError("stream() does not carry a tenant; use iterator() or page by key")

    def _execute_alone(self, text: str, params: Any, status: TransactionStatus, options: dict[str, Any]) -> None:
        """See Note [The slow road]."""
        with self._transaction(status):
            if status != TransactionStatus.INERROR:
                super().execute(self._prefix())
            self._extended = True
            try:
                super().execute(text, params, **options)
            finally:
                self._extended = False

    def _execute_send(self, query: Any, *, force_extended: bool = False, binary: bool | None = None) -> None:
        super()._execute_send(query, force_extended=force_extended or self._extended, binary=binary)

    def _transaction(self, status: TransactionStatus) -> Any:
        alone = status == TransactionStatus.IDLE and self.connection.autocommit
        return self.connection.transaction() if alone else nullcontext()

    def _prefix(self) -> str:
        tenant_id = current_tenant_id()
        # The text of a UUID holds nothing to escape.
        return f"SET LOCAL app.current_tenant='{tenant_id or ''}';"

    def _text(self, query: Any) -> str:
        if isinstance(query, bytes):
            return query.decode(self.connection.info.encoding)
        if isinstance(query, sql.Composable):
            return query.as_string(self)
        return str(query)

    def _look_at_the_tag(self) -> None:
        tag = self.statusmessage or ""
        if tag == "LISTEN":
            super().execute("UNLISTEN *")
            raise NotSupportedError("LISTEN hears every tenant's notifications; it needs the platform connection")
        if tag in SESSION_TAGS or tag.startswith("DISCARD"):
            _changed.add(self.connection)


class DatabaseWrapper(stock.DatabaseWrapper):
    """`ENGINE = "rls.backends.postgresql"`: the connection of a role that row-level security binds.

    A role that could bypass row-level security is refused at the first connection.
    """

    cursor_class: type[stock.Cursor] = Cursor

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if params["cursor_factory"] is not stock.Cursor:
            raise ImproperlyConfigured("rls needs client-side binding: remove server_side_binding and cursor_factory")
        return params | {"cursor_factory": self.cursor_class}

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self.connection not in _bound:
            try:
                roles.refuse_unbound(self.connection)
            except BaseException:
                self.close()
                raise
            _bound.add(self.connection)

    def create_cursor(self, name: str | None = None) -> Any:
        if name:
            raise NotSupportedError("a server-side cursor reads its rows after its statement; use iterator()")
        return super().create_cursor()

    def chunked_cursor(self) -> Any:
        # PostgreSQL applies a policy of a server-side cursor at FETCH, when the context may be another one.
        return self.cursor()

    def ensure_connection(self) -> None:
        if self.connection is not None and self.connection in _changed and not self.in_atomic_block:
            self.close()
        super().ensure_connection()

    def _close(self) -> None:
        connection = self.connection
        if connection is not None and connection in _changed:
            connection.close()  # the pool replaces a closed connection
        broken = connection is not None and connection.broken
        super()._close()  # type: ignore[misc]  # missing in the stubs
        if broken and self.pool:
            # One broken connection means a restarted server: look at its neighbours before the next caller does.
            self.pool.check()
