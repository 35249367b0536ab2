"""Migration operations that run the SQL files of `migrations_sql/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.migrations.operations.base import Operation


class RunSQLFile(Operation):
    """Run `migrations_sql/<name>.sql`; reverse with `migrations_sql/<name>.revert.sql`.

    Args:
        name: the file's name without `.sql`: "0002_core_tenant".

    Raises FileNotFoundError, when the migration runs, where the file is missing.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, name: str) -> None:
        self.name = name

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__qualname__, [self.name], {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The models do not change."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(read(f"{self.name}.sql"), params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(read(f"{self.name}.revert.sql"), params=None)

    def describe(self) -> str:
        return f"Run migrations_sql/{self.name}.sql"


def read(name: str) -> str:
    """The text of a file of `migrations_sql/`, which stands beside `manage.py`."""
    return Path(settings.BASE_DIR, "migrations_sql", name).read_text(encoding="utf-8")
