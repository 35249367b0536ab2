"""An operation that runs a SQL text of the library, filled in for the models of the project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

from rls.operations import RunSQLFile

SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"
# In a text, "<slug>" stands for a name or a value of the project, as SQL.
PLACE = re.compile(r"<(\w+)>")


class WriteSQL(RunSQLFile):
    """Run texts of `mcp_server/sql/`, filled in for the project's models as the migrations know them by now."""

    texts: ClassVar[tuple[str, ...]]

    def __init__(self, *names: str, **options: str) -> None:
        super().__init__(self.texts[-1], directory=SQL_DIRECTORY)
        self.names, self.options = names, options

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__qualname__, list(self.names), dict(self.options)

    def sql(self) -> str:
        """The texts, not filled in."""
        return "\n".join(self._read(f"{name}.sql") for name in self.texts)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(self.forwards_sql(app_label, to_state), params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(self.backwards_sql(app_label, from_state), params=None)

    def forwards_sql(self, app_label: str, state: Any) -> str:
        """What runs forwards, for the models of `state`."""
        raise NotImplementedError

    def backwards_sql(self, app_label: str, state: Any) -> str:
        """What runs backwards, for the models of `state`."""
        raise NotImplementedError

    def _filled(self, name: str, values: dict[str, str]) -> str:
        return PLACE.sub(lambda place: values[place[1]], self._read(name))
