"""The tables that the SQL files of all migrations on disk grant to a role. No database is asked."""

from __future__ import annotations

import re
from typing import Any

from django.db.migrations.state import ProjectState
from django.db.models import ManyToManyField

from rls.operations import RunSQLFile
from rls.schema.keys import canonical
from rls.schema.parsing import statements
from rls.schema.replay import Replay, cut, renamed

NAME = r'(?:"[^"]+"|[\w$]+)'
TABLE = rf"{NAME}(?: ?\. ?{NAME})?"
TABLES = rf"(?:table )?({TABLE}(?: ?, ?{TABLE})*)"
GRANT = re.compile(rf"^ ?grant .+? on {TABLES} to (.+)$")
GRANT_ALL = re.compile(r"^ ?grant .+? on all tables in schema (.+?) to (.+)$")
REVOKE = re.compile(rf"^ ?revoke all(?: privileges)? on {TABLES} from (.+)$")
# `rls grant` writes this line above the UPDATE of what is declared for a renamed table. Without the line rls.E021 goes
# on asking for the file; without the UPDATE the audit finds the rights undeclared (shared-undeclared).
RENAMED_LINE = re.compile(r"^-- rls: renamed (.+) to (.+)$", re.MULTILINE)


class Granted(Replay):
    """The models that the migrations know, and the roles that have a privilege on each table, by its current name."""

    def __init__(self, state: ProjectState) -> None:
        super().__init__(state)
        self.roles: dict[str, set[str]] = {}
        # The former name of a granted table that was renamed since: what is declared for it stands under that name.
        self.renamed: dict[str, str] = {}

    def lacks(self, table: str) -> bool:
        """Whether no file grants `table`, or what is declared for it stands under another name."""
        return table not in self.roles or table in self.renamed

    def tables(self, app_label: str, model_name: str) -> dict[str, str]:
        """The tables of a model by the field that each is made for: that of "" is its own, the others join."""
        model, own = self.model(app_label, model_name), self.table(app_label, model_name)
        if model is None or own is None:
            return {}
        fields: dict[str, Any] = model.fields
        joins = {name: known.db_table or cut(f"{own}_{name}") for name, known in fields.items() if _joins(known)}
        return {"": own} | {name: canonical(table) for name, table in joins.items()}

    def run_file(self, operation: RunSQLFile, migration: tuple[str, str]) -> None:
        try:
            sql = operation.sql()
        except FileNotFoundError:
            return  # rls.E019 says so
        for statement in statements(sql):
            self._take(statement)
        for found in RENAMED_LINE.finditer(sql):
            self.renamed.pop(found[2], None)

    def _take(self, statement: str) -> None:
        if found := GRANT.match(statement):
            for table in _named(found[1]):
                self.roles.setdefault(table, set()).update(_named(found[2]))
        elif found := GRANT_ALL.match(statement):
            for model in self.state.models if "public" in _named(found[1]) else ():
                for table in self.tables(*model).values():
                    self.roles.setdefault(table, set()).update(_named(found[2]))
        elif found := REVOKE.match(statement):
            for table in _named(found[1]):
                if left := self.roles.pop(table, set()) - _named(found[2]):
                    self.roles[table] = left

    def follow(self, operation: Any, migration: tuple[str, str], place: int) -> None:
        """PostgreSQL keeps the rights on a table that is renamed; what is declared names it still as it was."""
        app_label = migration[0]
        names = renamed(operation)
        before = self.tables(app_label, names[0][0]) if names else {}
        operation.state_forwards(app_label, self.state)
        if names is None:
            return
        (_, old_field), (model_name, new_field) = names
        after = self.tables(app_label, model_name)
        fields: dict[str | None, str | None] = {old_field: new_field}
        moved = {table: after.get(fields.get(name, name) or "") for name, table in before.items()}
        gone = [
            (table, self.roles.pop(was), self.renamed.pop(was, was))
            for was, table in moved.items()
            if was != table and was in self.roles
        ]
        for table, roles, declared in gone:
            if table is not None:
                self.roles[table] = roles
                self.renamed |= {table: declared} if table != declared else {}


def _joins(known: Any) -> bool:
    """Whether Django makes a table for a field of a migration."""
    return isinstance(known, ManyToManyField) and not known.remote_field.through


def _named(text: str) -> set[str]:
    return {canonical(name) for name in re.findall(TABLE, text)}
