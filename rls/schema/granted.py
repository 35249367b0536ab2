"""Which tables the SQL files grant to somebody, as far as migrations on disk run them. No database is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from django.db.backends.utils import truncate_name
from django.db.migrations import operations as django_operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import ManyToManyField

from rls.operations import RunSQLFile
from rls.schema.keys import MAX_NAME_BYTES, canonical
from rls.schema.parsing import statements

NAME = r'(?:"[^"]+"|[\w$]+)'
TABLE = rf"{NAME}(?: ?\. ?{NAME})?"
TABLES = rf"(?:table )?({TABLE}(?: ?, ?{TABLE})*)"
GRANT = re.compile(rf"^ ?grant .+? on {TABLES} to (.+)$")
GRANT_ALL = re.compile(r"^ ?grant .+? on all tables in schema (.+?) to (.+)$")
REVOKE = re.compile(rf"^ ?revoke all(?: privileges)? on {TABLES} from (.+)$")
# What is declared follows a table to its new name, in the words of rls/schema/grant_files.py.
FOLLOWS = re.compile(
    r"^UPDATE app\.declared_grants SET object = (?:'([^']+)'|format\('%I\.%I', '([^']+)', '([^']+)'\)) ", re.MULTILINE
)


@dataclass(slots=True)
class Granted:
    """The models that the migrations know, and who has a right on which table, by its name of today."""

    state: ProjectState
    roles: dict[str, set[str]] = field(default_factory=dict)
    # The former name of a granted table that was renamed since: what is declared for it stands under that name.
    renamed: dict[str, str] = field(default_factory=dict)

    def lacks(self, table: str) -> bool:
        """Whether no file grants `table`, or what is declared for it stands under another name."""
        return table not in self.roles or table in self.renamed

    def tables(self, app_label: str, model_name: str) -> dict[str, str]:
        """The tables of a model by the field that each is made for: that of "" is its own, the others join."""
        model = self.state.models.get((app_label, model_name.lower()))
        if model is None:
            return {}
        own = canonical(model.options.get("db_table") or cut(f"{app_label}_{model.name_lower}"))
        joins = {name: known.db_table or cut(f"{own}_{name}") for name, known in model.fields.items() if _joins(known)}
        return {"": own} | {name: canonical(table) for name, table in joins.items()}

    def apply(self, operation: Any, app_label: str) -> None:
        """Take in one operation of a migration."""
        match operation:
            case django_operations.SeparateDatabaseAndState():
                state = self.state
                # What the database does has a state of its own, and what the state does no database.
                self.state = state.clone()
                for inner in operation.database_operations:
                    self.apply(inner, app_label)
                self.state = state
                operation.state_forwards(app_label, state)
            case RunSQLFile():
                self._run(operation)
            case _:
                self._follow(operation, app_label)

    def _run(self, operation: RunSQLFile) -> None:
        try:
            sql = operation.sql()
        except FileNotFoundError:
            return  # rls.E019 says so
        for statement in statements(sql):
            self._take(statement)
        for found in FOLLOWS.finditer(sql):
            self.renamed.pop(canonical(found[1] or f"{found[2]}.{found[3]}"), None)

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

    def _follow(self, operation: Any, app_label: str) -> None:
        """PostgreSQL keeps the rights on a table that is renamed; what is declared names it still as it was."""
        fields: dict[str, str] = {}
        match operation:
            case django_operations.RenameModel():
                old, new = operation.old_name, operation.new_name
            case django_operations.DeleteModel() | django_operations.AlterModelTable():
                old = new = operation.name
            case django_operations.RenameField():
                old = new = operation.model_name
                fields = {operation.old_name: operation.new_name}
            case django_operations.RemoveField() | django_operations.AlterField():
                old = new = operation.model_name
            case _:
                operation.state_forwards(app_label, self.state)
                return
        before = self.tables(app_label, old)
        operation.state_forwards(app_label, self.state)
        after = self.tables(app_label, new)
        moved = {table: after.get(fields.get(name, name)) for name, table in before.items()}
        gone = [
            (table, self.roles.pop(was), self.renamed.pop(was, was))
            for was, table in moved.items()
            if was != table and was in self.roles
        ]
        for table, roles, declared in gone:
            if table is not None:
                self.roles[table] = roles
                self.renamed |= {table: declared} if table != declared else {}


def read(loader: MigrationLoader) -> Granted:
    """What the migrations of `loader` grant, in the order in which an empty database runs them."""
    granted = Granted(ProjectState(real_apps=loader.unmigrated_apps))
    graph = loader.graph
    for key in dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf)):
        for operation in loader.disk_migrations[key].operations:
            granted.apply(operation, key[0])
    return granted


def cut(name: str) -> str:
    """The name of a table as Django makes it for PostgreSQL."""
    return str(truncate_name(name, MAX_NAME_BYTES))


def _joins(known: Any) -> bool:
    """Whether Django makes a table for a field of a migration."""
    return isinstance(known, ManyToManyField) and not known.remote_field.through


def _named(text: str) -> set[str]:
    return {canonical(name) for name in re.findall(TABLE, text)}
