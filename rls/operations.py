"""Migration operations that run SQL files, the project's or the library's, and install the audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.migrations.operations.base import Operation

from rls import audit
from rls.files import SQL_DIRECTORY

__all__ = ["SQL_DIRECTORY", "InstallAudit", "RunSQLFile"]


class RunSQLFile(Operation):
    """Run `<name>.sql`; reverse with `<name>.revert.sql`.

    Args:
        name: the file's name without `.sql`: "0004_helpdesk_ticket".
        directory: where it is; `migrations_sql/` beside `manage.py` where none is given.

    Raises FileNotFoundError, when the migration runs, where the file is missing.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, name: str, directory: Path | None = None) -> None:
        self.name = name
        self.directory = directory

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__qualname__, [self.name], {"directory": self.directory} if self.directory else {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The models do not change."""

    def sql(self) -> str:
        """The text that runs forwards."""
        return self._read(f"{self.name}.sql")

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(self.sql(), params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(self._read(f"{self.name}.revert.sql"), params=None)

    def describe(self) -> str:
        return f"Run {self.name}.sql"

    def _read(self, name: str) -> str:
        directory = self.directory or Path(settings.BASE_DIR, "migrations_sql")
        return (directory / name).read_text(encoding="utf-8")


class InstallAudit(Operation):
    """Make the view `app.isolation_findings` from the rules in `rls/sql/audit/`, as they are now.

    A release that changes a rule has a migration with this operation: it replaces the view. Reversed, it does nothing:
    what an audit compares with are the files, and they are the newer ones.
    """

    reduces_to_sql = True
    reversible = True

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__qualname__, [], {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The models do not change."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(audit.install_sql(), params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """The view stays until 0003_audit is reverted."""

    def describe(self) -> str:
        return "Install the audit from rls/sql/audit"
