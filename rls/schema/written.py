"""What the SQL files write, as far as migrations on disk run them. No database is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.operations import CreateCollation
from django.db.backends.utils import truncate_name
from django.db.migrations import operations as django_operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.migrations.utils import resolve_relation
from django.db.models import ForeignKey

from rls.operations import RunSQLFile
from rls.schema.facts import Facts, Origin, Place
from rls.schema.keys import MAX_NAME_BYTES, canonical


@dataclass(frozen=True, slots=True)
class Taken:
    """What an operation takes away with a table or a column, although a SQL file made it.

    `place` is that of the operation, or of the one around it, in its migration.
    """

    migration: tuple[str, str]
    place: int
    operation: Any
    table: str
    facts: Facts


class Written(Facts):
    """The models that the migrations know, and what is written for their tables."""

    def __init__(self, state: ProjectState) -> None:
        super().__init__()
        self.state = state
        self.missing_files: list[Origin] = []
        self.taken: list[Taken] = []
        # Collations that know no LIKE: Django makes no index for it then.
        self.loose_collations: set[str] = set()

    def table(self, app_label: str, model_name: str) -> str | None:
        """The table of a model; None for a model that no migration knows."""
        model = self.state.models.get((app_label, model_name.lower()))
        if model is None:
            return None
        name = model.options.get("db_table") or truncate_name(f"{app_label}_{model.name_lower}", MAX_NAME_BYTES)
        return canonical(str(name))

    def column(self, app_label: str, model_name: str, field_name: str) -> str | None:
        """The column of a field; None for a field that no migration knows."""
        known = self._field(app_label, model_name, field_name)
        if known is None:
            return None
        return known.db_column or (f"{field_name}_id" if isinstance(known, ForeignKey) else field_name)

    def apply(self, operation: Any, migration: tuple[str, str], place: int = 0) -> None:
        """Take in one operation of a migration, the one at `place`."""
        match operation:
            case django_operations.SeparateDatabaseAndState():
                state = self.state
                # What the database does has a state of its own, and what the state does no database.
                self.state = state.clone()
                for inner in operation.database_operations:
                    self.apply(inner, migration, place)
                self.state = state
                operation.state_forwards(migration[0], state)
            case RunSQLFile():
                self._run(operation, migration)
            case django_operations.RunSQL():
                self.take(_text(operation.sql), Origin(migration, ""))
                operation.state_forwards(migration[0], self.state)
            case CreateCollation():
                if not operation.deterministic:
                    self.loose_collations.add(operation.name)
            case _:
                self._follow(operation, migration, place)

    def _run(self, operation: RunSQLFile, migration: tuple[str, str]) -> None:
        origin = Origin(migration, operation.name)
        try:
            text = operation.sql()
        except FileNotFoundError:
            self.missing_files.append(origin)
        else:
            self.take(text, origin)

    def _follow(self, operation: Any, migration: tuple[str, str], place: int) -> None:
        """PostgreSQL renames tables and columns in policies and keys too, and drops what hangs on them."""
        app_label = migration[0]
        old, new = _names(operation)
        before = self._place(app_label, *old) if old else None
        parent = self._parent(app_label, *old) if old else None
        operation.state_forwards(app_label, self.state)
        if not (new and before):
            return
        after = self._place(app_label, *new)
        if parent != self._parent(app_label, *new):
            after = None  # its key would go on leading to the old parent
        if before.column == "tenant_id" and after is None:
            before = Place(before.table)  # the policies and all keys hold it
        if lost := self.move(before, after):
            self.taken.append(Taken(migration, place, operation, before.table, lost))

    def _field(self, app_label: str, model_name: str, field_name: str) -> Any:
        model = self.state.models.get((app_label, model_name.lower()))
        return model.fields.get(field_name) if model else None

    def _place(self, app_label: str, model_name: str, field_name: str | None) -> Place | None:
        model = self.state.models.get((app_label, model_name.lower()))
        table = self.table(app_label, model_name)
        if model is None or table is None or model.options.get("proxy") or not model.options.get("managed", True):
            return None
        column = self.column(app_label, model_name, field_name) if field_name else None
        return None if field_name and column is None else Place(table, column)

    def _parent(self, app_label: str, model_name: str, field_name: str | None) -> str | None:
        """The table that a foreign key leads to."""
        known = self._field(app_label, model_name, field_name) if field_name else None
        if not isinstance(known, ForeignKey):
            return None
        return self.table(*resolve_relation(known.remote_field.model, app_label, model_name.lower()))


def read(loader: MigrationLoader) -> Written:
    """What the migrations of `loader` write, in the order in which an empty database runs them."""
    written = Written(ProjectState(real_apps=loader.unmigrated_apps))
    graph = loader.graph
    for key in dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf)):
        for place, operation in enumerate(loader.disk_migrations[key].operations):
            written.apply(operation, key, place)
    return written


def _text(statements: Any) -> str:
    """The SQL of Django's RunSQL: a text, or a list of texts and of pairs (text, parameters)."""
    if isinstance(statements, str):
        return statements
    return ";".join(each if isinstance(each, str) else each[0] for each in statements)


def _names(operation: Any) -> Any:
    """The (model, field) of an operation that renames or drops, as it was and as it will be."""
    match operation:
        case django_operations.RenameModel():
            return (operation.old_name, None), (operation.new_name, None)
        case django_operations.DeleteModel() | django_operations.AlterModelTable():
            return (operation.name, None), (operation.name, None)
        case django_operations.RenameField():
            return (operation.model_name, operation.old_name), (operation.model_name, operation.new_name)
        case django_operations.AlterField() | django_operations.RemoveField():
            return (operation.model_name, operation.name), (operation.model_name, operation.name)
    return None, None
