"""`rls.backends.postgresql` as it serves, but for one thing: the tests define their tables on the same connection.

What a schema editor sends goes out as it is, as the owner's statements do. The tag of a definition is accepted; every
other one is judged as it is when serving.
"""

from __future__ import annotations

from typing import Any, Self

from django.db.backends.postgresql import schema
from django.db.backends.postgresql.creation import DatabaseCreation
from psycopg import ClientCursor

from rls.backends.postgresql import base, cursor

DEFINITIONS = ("CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT")


class Cursor(cursor.Cursor):
    """The serving cursor, which lets definitions pass."""

    is_editor = False

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        if self.is_editor:
            self.statement = None
            ClientCursor.execute(self, query, params, **options)
            return self
        return super().execute(query, params, **options)

    def _check_tag(self) -> None:
        if not (self.statusmessage or "").startswith(DEFINITIONS):
            super()._check_tag()


class SchemaEditor(schema.DatabaseSchemaEditor):
    """Django's schema editor, whose statements the cursor knows."""

    def execute(self, sql: Any, params: Any = ()) -> None:
        self.connection.is_editor = True
        try:
            super().execute(sql, params)
        finally:
            self.connection.is_editor = False


class DatabaseWrapper(base.DatabaseWrapper):
    """The backend under test."""

    creation_class = DatabaseCreation
    SchemaEditorClass = SchemaEditor
    is_editor = False

    def get_connection_params(self) -> dict[str, Any]:
        return super().get_connection_params() | {"cursor_factory": Cursor}

    def create_cursor(self, name: str | None = None) -> Any:
        made = super().create_cursor(name)
        made.is_editor = self.is_editor
        return made
