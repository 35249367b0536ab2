"""Follows the migrations on disk, operation by operation, as an empty database runs them. No database is asked."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

from django.db.backends.utils import truncate_name
from django.db.migrations import operations as django_operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from rls.operations import RunSQLFile
from rls.schema.keys import MAX_NAME_BYTES, canonical


class Replay:
    """The models that the migrations know; a subclass adds what it reads of their SQL."""

    def __init__(self, state: ProjectState) -> None:
        self.state = state

    @classmethod
    def read(cls, loader: MigrationLoader) -> Self:
        """The end of all migrations of `loader`, each applied once and after those that it depends on."""
        found = cls(ProjectState(real_apps=loader.unmigrated_apps))
        graph = loader.graph
        for key in dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf)):
            for place, operation in enumerate(loader.disk_migrations[key].operations):
                found.apply(operation, key, place)
        return found

    def apply(self, operation: Any, migration: tuple[str, str], place: int = 0) -> None:
        """Take in one operation of the migration (app label, name), the one at `place` in its list."""
        match operation:
            case django_operations.SeparateDatabaseAndState():
                state = self.state
                # The database's operations change a state of their own, and those of the state no database.
                self.state = state.clone()
                for inner in operation.database_operations:
                    self.apply(inner, migration, place)
                self.state = state
                operation.state_forwards(migration[0], state)
            case RunSQLFile():
                self.run_file(operation, migration)
            case _:
                self.follow(operation, migration, place)

    @abstractmethod
    def run_file(self, operation: RunSQLFile, migration: tuple[str, str]) -> None:
        """Take in the text of a SQL file."""

    @abstractmethod
    def follow(self, operation: Any, migration: tuple[str, str], place: int) -> None:
        """Take in an operation of Django's: apply it to the state, and follow what it renames and drops."""

    def model(self, app_label: str, model_name: str) -> ModelState | None:
        """A model as the migrations leave it; None where none of them makes it."""
        return self.state.models.get((app_label, model_name.lower()))

    def table(self, app_label: str, model_name: str) -> str | None:
        """The table of a model; None for a model that no migration makes."""
        model = self.model(app_label, model_name)
        if model is None:
            return None
        return canonical(str(model.options.get("db_table") or cut(f"{app_label}_{model.name_lower}")))


def cut(name: str) -> str:
    """The name of a table as Django makes it for PostgreSQL."""
    return str(truncate_name(name, MAX_NAME_BYTES))


def renamed(operation: Any) -> tuple[tuple[str, str | None], tuple[str, str | None]] | None:
    """The (model, field) before and after an operation that renames, alters or drops one; None for another."""
    match operation:
        case django_operations.RenameModel():
            return (operation.old_name, None), (operation.new_name, None)
        case django_operations.DeleteModel() | django_operations.AlterModelTable():
            return (operation.name, None), (operation.name, None)
        case django_operations.RenameField():
            return (operation.model_name, operation.old_name), (operation.model_name, operation.new_name)
        case django_operations.AlterField() | django_operations.RemoveField():
            return (operation.model_name, operation.name), (operation.model_name, operation.name)
    return None
