"""The policies and keys that the SQL files of all migrations on disk make together. No database is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.operations import CreateCollation
from django.db.migrations import operations as django_operations
from django.db.migrations.state import ProjectState
from django.db.migrations.utils import resolve_relation
from django.db.models import ForeignKey

from rls.operations import RunSQLFile
from rls.schema.facts import Facts, Origin, Place
from rls.schema.replay import Replay, renamed


@dataclass(frozen=True, slots=True)
class Taken:
    """What a Django operation drops together with a table or a column, although a SQL file made it.

    `place` is the index of the operation, or of the one that contains it, in its migration.
    """

    migration: tuple[str, str]
    place: int
    operation: Any
    table: str
    facts: Facts


class Written(Replay, Facts):
    """The models that the migrations know, and what is written for their tables."""

    def __init__(self, state: ProjectState) -> None:
        Replay.__init__(self, state)
        Facts.__init__(self)
        self.missing_files: list[Origin] = []
        self.taken: list[Taken] = []
        # Collations that know no LIKE: Django makes no index for it then.
        self.loose_collations: set[str] = set()

    def column(self, app_label: str, model_name: str, field_name: str) -> str | None:
        """The column of a field; None for a field that no migration knows."""
        known = self._field(app_label, model_name, field_name)
        if known is None:
            return None
        return known.db_column or (f"{field_name}_id" if isinstance(known, ForeignKey) else field_name)

    def run_file(self, operation: RunSQLFile, migration: tuple[str, str]) -> None:
        origin = Origin(migration, operation.name)
        try:
            text = operation.sql()
        except FileNotFoundError:
            self.missing_files.append(origin)
        else:
            self.take(text, origin)

    def follow(self, operation: Any, migration: tuple[str, str], place: int) -> None:
        """PostgreSQL renames tables and columns in policies and keys too, and drops what hangs on them."""
        app_label = migration[0]
        if isinstance(operation, django_operations.RunSQL):
            self.take(_text(operation.sql), Origin(migration, ""))
        elif isinstance(operation, CreateCollation) and not operation.deterministic:
            self.loose_collations.add(operation.name)
        names = renamed(operation)
        before = self._place(app_label, *names[0]) if names else None
        parent = self._parent(app_label, *names[0]) if names else None
        operation.state_forwards(app_label, self.state)
        if names is None or before is None:
            return
        new = names[1]
        after = self._place(app_label, *new)
        if parent != self._parent(app_label, *new):
            after = None  # the constraint would go on referring to the old parent
        if before.column == "tenant_id" and after is None:
            before = Place(before.table)  # the policies and all keys use it
        if lost := self.move(before, after):
            self.taken.append(Taken(migration, place, operation, before.table, lost))

    def _field(self, app_label: str, model_name: str, field_name: str) -> Any:
        model = self.model(app_label, model_name)
        return model.fields.get(field_name) if model else None

    def _place(self, app_label: str, model_name: str, field_name: str | None) -> Place | None:
        model = self.model(app_label, model_name)
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


def _text(statements: Any) -> str:
    """The SQL of Django's RunSQL: a text, or a list of texts and of pairs (text, parameters)."""
    if isinstance(statements, str):
        return statements
    return ";".join(each if isinstance(each, str) else each[0] for each in statements)
