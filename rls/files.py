"""Where the SQL files of the library are; a project's own stand in `migrations_sql/` beside its `manage.py`."""

from __future__ import annotations

from pathlib import Path

SQL_DIRECTORY = Path(__file__).resolve().parent / "sql"
