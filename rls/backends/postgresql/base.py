"""The PostgreSQL backend of Django with one change: every statement carries its tenant (see its cursor)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from typing import Any, NoReturn
from weakref import WeakSet

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import base as stock
from django.db.backends.postgresql.creation import DatabaseCreation
from django.db.backends.postgresql.operations import DatabaseOperations
from django.utils.functional import cached_property
from psycopg import Connection

from rls import roles, timeouts
from rls.backends.errors import ErrorWrapper
from rls.backends.postgresql import guard, moments
from rls.backends.postgresql.cursor import Cursor, PlatformCursor, refuse_server_cursor, turn
from rls.backends.postgresql.lasting import LastingWrapper
from rls.context import PLATFORM_ALIAS, leave_platform

# Connections whose role has been looked at.
_bound: WeakSet[Connection[Any]] = WeakSet()


class Operations(DatabaseOperations):
    """Django's, whose logs show a statement as it was asked for, without what it carries."""

    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> str:
        asked: str | None = cursor.statement
        return super().last_executed_query(cursor, sql, params) if asked is None else asked


class Creation(DatabaseCreation):
    """Says by name what `manage.py test` would run into: a serving role makes no databases."""

    def create_test_db(self, *args: Any, **options: Any) -> NoReturn:
        raise ImproperlyConfigured(
            "Django's test runner makes its databases as the role that serves, which may not: run the tests with "
            'pytest and pytest_plugins = ["rls.testing.plugin"], which makes them as the owner'
        )


class ContextWrapper(stock.DatabaseWrapper):
    """What the backends of the serving roles and of the owner share."""

    ops_class = Operations

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        return ErrorWrapper(self)

    def on_commit(self, func: Callable[[], object], robust: bool = False) -> None:
        # The commit may come in another context, or in none: the callback keeps the tenant that asked for it. A
        # platform context ends with its transaction, so it is not kept, and none that is open then is taken.
        if not callable(func):
            raise TypeError("on_commit()'s callback must be a callable.")
        context = copy_context()
        context.run(leave_platform)

        @functools.wraps(func)  # Django logs its name
        def in_context() -> object:
            return context.run(func)

        in_context.__qualname__ = getattr(func, "__qualname__", str(func))  # a partial has none
        super().on_commit(in_context, robust)

    # Threads that share the connection don't end a transaction between a prefix and its statement.

    def _set_autocommit(self, autocommit: bool) -> None:
        with self._turn():
            super()._set_autocommit(autocommit)  # type: ignore[misc]  # missing in the stubs

    def _commit(self) -> None:
        with self._turn():
            super()._commit()  # type: ignore[misc]  # missing in the stubs

    def _rollback(self) -> None:
        with self._turn():
            super()._rollback()  # type: ignore[misc]  # missing in the stubs

    def _turn(self) -> AbstractContextManager[object]:
        return nullcontext() if self.connection is None else turn(self.connection)


class DatabaseWrapper(LastingWrapper, ContextWrapper):
    """`ENGINE = "rls.backends.postgresql"`: the connection of a role that row-level security binds.

    A role that could bypass row-level security is refused at the first connection.
    """

    creation_class = Creation

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if params["cursor_factory"] is not stock.Cursor:
            raise ImproperlyConfigured("rls needs client-side binding: remove server_side_binding and cursor_factory")
        if self.settings_dict["OPTIONS"].get("assume_role"):
            raise ImproperlyConfigured(
                "the serving role must log in itself: remove assume_role, and name the role in USER"
            )
        return params | {
            "cursor_factory": PlatformCursor if self.alias == PLATFORM_ALIAS else Cursor,
            "context": moments.read_fast(params["context"]),
        }

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection[Any]:
        connection: Connection[Any] = super().get_new_connection(conn_params)
        connection.server_cursor_factory = refuse_server_cursor  # type: ignore[assignment]
        return connection

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self.connection not in _bound:
            try:
                roles.refuse_unbound(self.connection)
                guard.prove(self.connection)
                timeouts.remember(self.connection)
            except BaseException:
                self.close()
                raise
            _bound.add(self.connection)

    def create_cursor(self, name: str | None = None) -> Any:
        return refuse_server_cursor() if name else super().create_cursor()

    def chunked_cursor(self) -> Any:
        # PostgreSQL applies a policy of a server-side cursor at FETCH, when the context may be another one.
        return self.cursor()
