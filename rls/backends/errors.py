"""The names of what PostgreSQL refuses, in the place where Django gives psycopg's errors its own.

SQLSTATE 42501 says that a right is missing, and not which. PostgreSQL translates its texts (`lc_messages`), but neither
the name of the function that raised nor a text of our own SQL files.
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any

from django.apps import apps
from django.db.utils import DatabaseErrorWrapper, Error, ProgrammingError
from psycopg.errors import Diagnostic, InsufficientPrivilege, ReadOnlySqlTransaction
from psycopg.pq import TransactionStatus

from rls import migrating
from rls.backends import refusals
from rls.context import PLATFORM_ALIAS, current_tenant_id
from rls.errors import CrossTenantWrite, NoPlatformContext, NoTenantContext, PolicyMissing, WriteRefused
from rls.reading import is_read_only

# What `migrations_sql/0002_tenant_context.sql` raises.
RAISED = {"no tenant context is open": NoTenantContext, "no platform context is open": NoPlatformContext}

# A name inside a message of PostgreSQL, in the quotation marks of any of its translations.
QUOTED = re.compile(r'["«»]\s?([^"«»]+?)\s?["«»]')


class ErrorWrapper(DatabaseErrorWrapper):
    """Django's wrapper of psycopg's errors, which knows the errors of `rls.errors` besides."""

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
            raise named.with_traceback(trace) from error

    @property
    def _connection(self) -> Any:
        return self.wrapper  # type: ignore[attr-defined]  # missing in the stubs

    def _leave_copy(self) -> None:
        """A COPY in the text of a statement was refused by psycopg and not ended: nothing could follow it."""
        wrapper = self._connection
        connection = wrapper.connection
        if connection is not None and connection.info.transaction_status == TransactionStatus.ACTIVE:
            connection.close()
            if not wrapper.in_atomic_block:
                wrapper.close()

    def _named(self, diag: Diagnostic) -> ProgrammingError | None:
        if raised := RAISED.get(diag.message_primary or ""):
            return raised()
        if diag.source_function == "check_enable_rls":
            return self._missing()
        if diag.source_function == "ExecWithCheckOptions":
            return self._refused(QUOTED.findall(diag.message_primary or ""))
        return None

    def _refused(self, names: list[str]) -> ProgrammingError | None:
        """The error for a row that policies refuse; None where PostgreSQL's own words are all that is known."""
        # PostgreSQL names the policy, beside the table, where it is a restrictive one: ours are not.
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
            f"{table} lacks the policy that lets {role} {commands}, so a row was refused, whosever it is\n"
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
    """What a statement of a migration is told that went to another connection than the migration's."""
    if isinstance(refused, NoTenantContext | NoPlatformContext):
        what, _, _ = str(refused).partition("\n")
        return type(refused)(f"{what}\nHINT:  {hint}")
    refused.add_note(hint)
    return refused


def _label(table: str) -> str:
    """The model of a table, as `rls new` wants it."""
    labels = [model._meta.label for model in apps.get_models() if model._meta.db_table == table]
    return labels[0] if labels else "--all"
