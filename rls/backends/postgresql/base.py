"""The PostgreSQL backend of Django with one change: every statement carries its tenant.

# Note [The prefix]
A statement leaves as `SET LOCAL app.current_tenant='<uuid>';<statement>` in one message of the simple
query protocol (PostgreSQL 55.2.2.1): outside a transaction block the server runs such a message as one
implicit transaction, so the variable ends with the statement and nothing is left on the connection.
Without a context the variable is sent as '' and not left out: a value that somebody set on the session,
or that an earlier context left in this transaction, must not be found. `row_security = off` goes with it:
PostgreSQL then refuses to plan a statement that a policy would filter, on an empty table too.

# Note [The slow road]
The simple protocol accepts several statements, and so a `; SET ...` that was injected, into the text or
through a placeholder in quotes. Where the bound text has a `;`, the statement goes alone through the
extended protocol, which takes exactly one: PostgreSQL decides what a statement is, and no parser of ours
does. What does not begin like a statement on rows takes this road too, and there PostgreSQL says by its
command tag what it has done: what is no business of a serving role is rolled back before it can commit.
ALTER ROLE on oneself, DROP OWNED, LISTEN and cursors WITH HOLD need no right that could be revoked.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from typing import Any, NoReturn, Self
from weakref import WeakSet

from django.core.exceptions import ImproperlyConfigured
from django.db import NotSupportedError
from django.db.backends.postgresql import base as stock
from django.utils.functional import cached_property
from psycopg import ClientCursor, Connection
from psycopg.pq import TransactionStatus

from rls import roles
from rls.backends.errors import ErrorWrapper
from rls.backends.postgresql.lasting import LastingWrapper
from rls.context import PLATFORM_ALIAS, current_tenant_id, keep_platform, platform_is_open

# How statements begin that touch rows, or savepoints. It only chooses the road: the slow one is safe for all.
# A comment before them holds no star and no slash, so that it ends for PostgreSQL where it ends here. Nothing at all is
# what a pool sends to check a connection.
FAST = re.compile(
    r"(?:[\s(]|/\*[^*/]*\*/|--[^\r\n]*[\r\n])*"
    r"(?:(?:SELECT|INSERT|UPDATE|DELETE|WITH|VALUES|MERGE|SAVEPOINT|RELEASE|ROLLBACK TO)\b|\Z)",
    re.ASCII | re.IGNORECASE,
)
# One statement that begins so ends with its transaction. What follows is no part of a name (`SET local.x`).
LOCAL = re.compile(r"\s*SET\s+(?:LOCAL|TRANSACTION)\s+\w", re.ASCII | re.IGNORECASE)

# Command tags (PostgreSQL 55.7, CommandComplete) of what a serving role may do besides.
ROW_TAGS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "EXPLAIN", "SHOW", "SET CONSTRAINTS"})
TRANSACTION_TAGS = frozenset({"COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"})

# Connections whose role has been looked at.
_bound: WeakSet[Connection[Any]] = WeakSet()


class Cursor(stock.Cursor, ClientCursor[Any]):
    """A client-side binding cursor whose statements carry the tenant of the open context."""

    _extended = False

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        self._send(self.mogrify(query, params), options)
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        if not FAST.match(self.mogrify(query)):
            raise NotSupportedError("executemany() is for statements on rows")
        with self._transaction():
            super().execute(self._prefix())
            with self._alone():
                super().executemany(query, params_seq, **options)

    def copy(self, *args: Any, **options: Any) -> NoReturn:
        raise NotSupportedError("COPY does not carry a tenant; use bulk_create() to write, iterator() to read")

    def stream(self, *args: Any, **options: Any) -> NoReturn:
        raise NotSupportedError("stream() does not carry a tenant; use iterator() or page by key")

    def _send(self, text: str, options: dict[str, Any]) -> None:
        status = self.connection.info.transaction_status
        is_fast = FAST.match(text) is not None
        if status == TransactionStatus.INERROR:  # only a ROLLBACK can run, and no SET before it
            with self._alone():
                super().execute(text, **options)
        elif is_fast and ";" not in text:
            super().execute(self._prefix() + text, **options)
            self.set_result(-1)
        else:
            with self._transaction() as is_own:
                super().execute(self._prefix())
                # The end of a savepoint would end SET TRANSACTION READ ONLY too.
                is_local = not is_own and LOCAL.match(text) is not None
                savepoint = nullcontext() if is_own or is_fast or is_local else self.connection.transaction()
                with savepoint, self._alone():
                    super().execute(text, **options)
                    if not is_local:
                        self._check_tag()

    def _check_tag(self) -> None:
        """Raise, so that the transaction around it rolls back, unless the tag is one that serving needs."""
        words = (self.statusmessage or "").split(" ")
        tag = words[0] if words[0] in ROW_TAGS else " ".join(words)
        if tag not in ROW_TAGS and tag not in TRANSACTION_TAGS:
            if tag == "PREPARE":  # it outlives the transaction
                super().execute("DEALLOCATE ALL")
            self._reset()
            is_set = tag in {"SET", "RESET"}
            hint = "use SET LOCAL inside transaction.atomic()" if is_set else "use a migration, as the owner"
            raise NotSupportedError(f"{tag} was rolled back: a serving connection reads and writes rows; {hint}")

    def _execute_send(self, query: Any, *, force_extended: bool = False, binary: bool | None = None) -> None:
        super()._execute_send(query, force_extended=force_extended or self._extended, binary=binary)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Within the block PostgreSQL refuses what is more than one statement. See Note [The slow road]."""
        self._extended = True
        try:
            yield
        finally:
            self._extended = False

    @contextmanager
    def _transaction(self) -> Iterator[bool]:
        """Outside a transaction, one for this block: True. Inside one nothing: False."""
        if self.connection.info.transaction_status == TransactionStatus.IDLE and self.connection.autocommit:
            with self.connection.transaction():
                yield True
        else:
            yield False

    def _prefix(self) -> str:
        """See Note [The prefix]. The text of a UUID holds nothing to escape."""
        row_security = "on" if self._is_open() else "off"
        return f"SET LOCAL app.current_tenant='{current_tenant_id() or ''}';SET LOCAL row_security={row_security};"

    def _is_open(self) -> bool:
        return current_tenant_id() is not None


class PlatformCursor(Cursor):
    """A cursor of `app_platform`: a tenant context does not open it, and a platform context does."""

    def _is_open(self) -> bool:
        return platform_is_open()


def refuse_server_cursor(*args: Any, **options: Any) -> NoReturn:
    """Stands where psycopg makes its server-side cursors, which read their rows after their statement."""
    raise NotSupportedError("a server-side cursor would read its rows in another context; use iterator()")


class DatabaseWrapper(LastingWrapper):
    """`ENGINE = "rls.backends.postgresql"`: the connection of a role that row-level security binds.

    A role that could bypass row-level security is refused at the first connection.
    """

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if params["cursor_factory"] is not stock.Cursor:
            raise ImproperlyConfigured("rls needs client-side binding: remove server_side_binding and cursor_factory")
        return params | {"cursor_factory": PlatformCursor if self.alias == PLATFORM_ALIAS else Cursor}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection[Any]:
        connection: Connection[Any] = super().get_new_connection(conn_params)
        connection.server_cursor_factory = refuse_server_cursor  # type: ignore[assignment]
        return connection

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        return ErrorWrapper(self)

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
        return refuse_server_cursor() if name else super().create_cursor()

    def chunked_cursor(self) -> Any:
        # PostgreSQL applies a policy of a server-side cursor at FETCH, when the context may be another one.
        return self.cursor()

    def on_commit(self, func: Callable[[], object], robust: bool = False) -> None:
        # The commit may come in another context, or in none: the callback keeps the tenant that asked for it.
        # A platform context ends with its transaction, so it is not kept.
        if not callable(func):
            raise TypeError("on_commit()'s callback must be a callable.")
        context = copy_context()

        @functools.wraps(func)  # Django logs its name
        def in_context() -> object:
            context.run(keep_platform, platform_is_open())
            return context.run(func)

        super().on_commit(in_context, robust)
