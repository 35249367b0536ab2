"""The backend of `app_owner`, who migrates: statements outside a context go out as they are.

DDL such as CREATE INDEX CONCURRENTLY refuses to run in a transaction, and a migration file holds many
statements. A data migration inside `tenant_context` is scoped like any other code.
"""

from __future__ import annotations

from typing import Any, Self

from django.db.utils import ProgrammingError
from django.utils.functional import cached_property
from psycopg import ClientCursor
from psycopg.pq import TransactionStatus

from rls.backends import errors
from rls.backends.postgresql import base, cursor
from rls.context import current_tenant_id
from rls.errors import TENANT_CONTEXT, NoTenantContext
from rls.reading import is_read_only


class Cursor(cursor.Cursor):
    """A cursor that sends the tenant where a context is open, and clears it in a transaction where one was.

    In `rls.read_only()` it can't write either.
    """

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        if current_tenant_id() is not None or is_read_only():
            return super().execute(query, params, **options)
        self.statement = None
        with cursor.turn(self.connection):
            if self.connection.pgconn.transaction_status == TransactionStatus.INTRANS:
                ClientCursor.execute(self, self._prefix())
            ClientCursor.execute(self, query, params, **options)
        return self

    def _prefix(self) -> str:
        prefix = f"SET LOCAL app.current_tenant='{current_tenant_id() or ''}';"
        # See rls.reading, Note [Read only].
        return f"{prefix}SET LOCAL transaction_read_only=on;" if is_read_only() else prefix

    def _check_tag(self) -> None:
        """The owner runs DDL, so every command tag is allowed."""

    def _refuse_lasting(self, text: str) -> None:
        """The owner's connections serve no tenant."""

    def _refuse_set(self, text: str, *, is_own: bool) -> None:
        """The owner's connections serve no tenant."""


class ErrorWrapper(errors.ErrorWrapper):
    """The owner's statements leave `row_security` as it is, so what a refusal to plan means is not known here."""

    def _missing(self) -> ProgrammingError | None:
        return None

    def _uncovered(self, table: str, commands: str) -> ProgrammingError | None:
        # A migration may have made the policies in this very transaction, where nobody else sees them yet.
        return None if self._connection.in_atomic_block else super()._uncovered(table, commands)

    def _covered(self, table: str) -> ProgrammingError | None:
        if current_tenant_id() is not None:
            return super()._covered(table)
        # Without a context the owner writes for every tenant, so the row names none.
        return NoTenantContext(
            f"a row written to {table} belongs to no tenant\nHINT:  Give it a tenant_id, or write it in "
            f"{TENANT_CONTEXT}."
        )


class DatabaseWrapper(base.ContextWrapper):
    """`ENGINE = "rls.backends.owner"`: for `migrate`, never for serving."""

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        return params | {"cursor_factory": Cursor}

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        return ErrorWrapper(self)
