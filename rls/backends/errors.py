"""Turns PostgreSQL's refusals into the errors of `rls.errors`, where Django turns psycopg's errors into its own.

SQLSTATE 42501 says that a privilege is missing, but not which. PostgreSQL translates its messages (`lc_messages`), but
neither the name of its source function nor the messages of our own SQL files, so these two are what we look at.
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any

from django.apps import apps
from django.db.utils import DatabaseErrorWrapper, Error, ProgrammingError
from psycopg.errors import Diagnostic, InsufficientPrivilege, ReadOnlySqlTransaction
from psycopg.pq import TransactionStatus

from rls import signals
from rls.backends import migrating, refusals
from rls.context import PLATFORM_ALIAS, current_tenant_id
from rls.errors import CrossTenantWrite, NoPlatformContext, NoTenantContext, PolicyMissing, WriteRefused
from rls.reading import is_read_only

# What `rls/sql/0002_tenant_context.sql` raises.
ERRORS_BY_MESSAGE = {"no tenant context is open": NoTenantContext, "no platform context is open": NoPlatformContext}

# A name inside a message of PostgreSQL, in the quotation marks of any of its translations.
QUOTED_NAME = re.compile(r'["«»]\s?([^"«»]+?)\s?["«»]')


class ErrorWrapper(DatabaseErrorWrapper):
    """Django's wrapper of psycopg's errors, which also raises those of `rls.errors`."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._leave_copy()
        try:
            super().__exit__(kind, error, trace)
        except Error as refused:
            named: Error | None = self._named(error.diag) if isinstance(error, InsufficientPrivilege) else None
            if isinstance(error, ReadOnlySqlTransaction) and is_read_only():
                named = WriteRefused()
            if hint := migrating.hint(self._connection.alias):
                named = _elsewhere(named or refused, hint)
            if named is None or named is refused:
                raise
            signals.refused.send_robust(type(named), error=named)
            raise named.with_traceback(trace) from error

    @property
    def _connection(self) -> Any:
        return self.wrapper  # type: ignore[attr-defined]  # missing in the stubs

    def _leave_copy(self) -> None:
        """Close a connection whose statement was a COPY: psycopg refuses it without ending it, and blocks the next."""
        wrapper = self._connection
        connection = wrapper.connection
        if connection is not None and connection.info.transaction_status == TransactionStatus.ACTIVE:
            connection.close()
            if not wrapper.in_atomic_block:
                wrapper.close()

    def _named(self, diag: Diagnostic) -> ProgrammingError | None:
        if raised := ERRORS_BY_MESSAGE.get(diag.message_primary or ""):
            return raised()
        if diag.source_function == "check_enable_rls":
            return self._missing()
        if diag.source_function == "ExecWithCheckOptions":
            return self._refused(QUOTED_NAME.findall(diag.message_primary or ""))
        return None

    def _refused(self, names: list[str]) -> ProgrammingError | None:
        """The error for a row that the policies refuse; None where PostgreSQL's own message says all that is known."""
        # PostgreSQL names a second thing, the policy, where a restrictive one refused: ours are permissive.
        if len(names) != 1:
            return None
        [table] = names
        uncovered = refusals.uncovered(self._connection, table)
        if uncovered is None:
            return None
        if uncovered:
            return self._uncovered(table, ", ".join(uncovered))
        return self._covered(table)

    def _uncovered(self, table: str, commands: str) -> ProgrammingError | None:
        """The table has no policy that would accept a row in one of `commands`."""
        role = self._connection.settings_dict["USER"]
        return PolicyMissing(
            f"{table} has no policy that lets {role} {commands}, so PostgreSQL refused a row of whatever tenant\n"
            f"HINT:  manage.py rls new {_label(table)} writes the policies where no SQL file does, manage.py migrate "
            "makes them, and manage.py rls audit prints what the database has lost since."
        )

    def _covered(self, table: str) -> ProgrammingError | None:
        """The policies of the table are as they should be, so it is the row that they don't accept."""
        tenant_id = current_tenant_id()
        if tenant_id is None:
            return None
        return CrossTenantWrite(
            f"a row written to {table} would not belong to the open tenant {tenant_id}; "
            "leave tenant_id unset: the database fills it"
        )

    def _missing(self) -> ProgrammingError | None:
        """See Note [The prefix]: without a context PostgreSQL refuses to plan, so the context is what is missing."""
        if self._connection.alias == PLATFORM_ALIAS:
            return NoPlatformContext()
        return None if current_tenant_id() else NoTenantContext()


def _elsewhere(refused: Error, hint: str) -> Error:
    """The error for a statement of a migration that the router sent to another connection than the migration's."""
    if isinstance(refused, NoTenantContext | NoPlatformContext):
        what, _, _ = str(refused).partition("\n")
        return type(refused)(f"{what}\nHINT:  {hint}")
    refused.add_note(hint)
    return refused


def _label(table: str) -> str:
    """The model of a table, as `rls new` wants it."""
    labels = [model._meta.label for model in apps.get_models() if model._meta.db_table == table]
    return labels[0] if labels else "--all"
