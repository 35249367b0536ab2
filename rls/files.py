"""Where the SQL files of the library are; a project's own stand in `migrations_sql/` beside its `manage.py`."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

# In a wheel they lie in the package; in a checkout beside it, together with those of the project.
LIBRARY = PACKAGE / "sql" if (PACKAGE / "sql").is_dir() else PACKAGE.parent / "migrations_sql"
