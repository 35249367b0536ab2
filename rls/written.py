"""What the SQL files write, as far as migrations on disk run them. No database is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.backends.utils import truncate_name
from django.db.migrations import operations as django_operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import ForeignKey

from rls.keys import LONGEST_NAME, TenantForeignKey, TenantKey, canonical
from rls.operations import RunSQLFile

# What is no statement: strings and comments. Identifiers in quotes are matched so that they stay whole.
TOKENS = re.compile(
    r"""(?P<quoted>"[^"]*")|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|--[^\n]*|/\*.*?\*/|(?P<other>[^"'/$-]+|.)""",
    re.DOTALL,
)

NAME = r'(?:"[^"]+"|[\w$]+)'
TABLE = rf"({NAME}(?: ?\. ?{NAME})?)"
TENANT_AND = rf'\( ?"?tenant_id"? ?, ?({NAME}) ?\)'
POLICY = re.compile(rf'\bcreate policy "?tenant_isolation"? on {TABLE}')
DROP_POLICY = re.compile(rf'\bdrop policy (?:if exists )?"?tenant_isolation"? on {TABLE}')
ALTER_TABLE = re.compile(rf"\balter table (?:if exists )?(?:only )?{TABLE}")
UNIQUE = re.compile(rf"\bunique ?{TENANT_AND}")
UNIQUE_INDEX = re.compile(
    rf"\bcreate unique index (?:concurrently )?(?:if not exists )?(?:{NAME} )?"
    rf"on (?:only )?{TABLE} ?{TENANT_AND}(?! ?where)"
)
FOREIGN_KEY = re.compile(rf"\bforeign key ?{TENANT_AND} ?references {TABLE} ?{TENANT_AND}")


@dataclass(frozen=True, slots=True)
class Origin:
    """The migration, as (app label, name), that runs a SQL file, and the file's name."""

    migration: tuple[str, str]
    file: str


@dataclass(slots=True)
class Written:
    """The models that the migrations know, and what is written for their tables under the names of today."""

    state: ProjectState
    policies: dict[str, Origin] = field(default_factory=dict)
    tenant_keys: dict[TenantKey, Origin] = field(default_factory=dict)
    foreign_keys: dict[TenantForeignKey, Origin] = field(default_factory=dict)
    missing_files: list[Origin] = field(default_factory=list)

    def table(self, app_label: str, model_name: str) -> str | None:
        """The table of a model; None for a model that no migration knows."""
        model = self.state.models.get((app_label, model_name.lower()))
        if model is None:
            return None
        name = model.options.get("db_table") or truncate_name(f"{app_label}_{model.name_lower}", LONGEST_NAME)
        return canonical(str(name))

    def column(self, app_label: str, model_name: str, field_name: str) -> str | None:
        """The column of a field; None for a field that no migration knows."""
        model = self.state.models.get((app_label, model_name.lower()))
        known = model.fields.get(field_name) if model else None
        if known is None:
            return None
        return known.db_column or (f"{field_name}_id" if isinstance(known, ForeignKey) else field_name)

    def apply(self, operation: Any, migration: tuple[str, str]) -> None:
        """Take in one operation of a migration."""
        app_label = migration[0]
        old, new = _names(operation)
        before = self._place(app_label, *old) if old else None
        operation.state_forwards(app_label, self.state)
        if new and before:
            self._move(before, self._place(app_label, *new))
        for file in _files(operation):
            self._read(file, migration)

    def _read(self, file: RunSQLFile, migration: tuple[str, str]) -> None:
        origin = Origin(migration, file.name)
        try:
            sql = file.sql()
        except FileNotFoundError:
            self.missing_files.append(origin)
            return
        for statement in statements(sql):
            for found in DROP_POLICY.finditer(statement):
                self.policies.pop(canonical(found[1]), None)
            for found in POLICY.finditer(statement):
                self.policies[canonical(found[1])] = origin
            for found in UNIQUE_INDEX.finditer(statement):
                self.tenant_keys[TenantKey(canonical(found[1]), canonical(found[2]))] = origin
            if altered := ALTER_TABLE.search(statement):
                table = canonical(altered[1])
                for found in UNIQUE.finditer(statement):
                    self.tenant_keys[TenantKey(table, canonical(found[1]))] = origin
                for found in FOREIGN_KEY.finditer(statement):
                    key = TenantForeignKey(table, *(canonical(name) for name in found.groups()))
                    self.foreign_keys[key] = origin

    def _place(self, app_label: str, model_name: str, field_name: str | None) -> tuple[str, str | None] | None:
        table = self.table(app_label, model_name)
        column = self.column(app_label, model_name, field_name) if field_name else None
        return None if table is None or (field_name and column is None) else (table, column)

    def _move(self, before: tuple[str, str | None], after: tuple[str, str | None] | None) -> None:
        """PostgreSQL renames tables and columns in policies and keys too, and drops what hangs on them."""
        if before == after:
            return

        def now(table: str, column: str | None) -> list[Any]:
            if table != before[0] or before[1] not in (None, column):
                return [table, column]
            if after is None:
                return [None, None]
            return [after[0], column if before[1] is None else after[1]]

        def keep(facts: Iterable[tuple[Any, list[Any], Origin]]) -> dict[Any, Origin]:
            return {kind(*names): origin for kind, names, origin in facts if None not in names}

        self.policies = keep((str, now(table, "")[:1], origin) for table, origin in self.policies.items())
        self.tenant_keys = keep(
            (TenantKey, now(key.table, key.column), origin) for key, origin in self.tenant_keys.items()
        )
        self.foreign_keys = keep(
            (TenantForeignKey, [*now(key.table, key.column), *now(key.parent, key.parent_column)], origin)
            for key, origin in self.foreign_keys.items()
        )


def read(loader: MigrationLoader) -> Written:
    """What the migrations of `loader` write, in the order in which an empty database runs them."""
    written = Written(ProjectState(real_apps=loader.unmigrated_apps))
    graph = loader.graph
    for key in dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf)):
        for operation in loader.disk_migrations[key].operations:
            written.apply(operation, key)
    return written


def statements(sql: str) -> list[str]:
    """The statements of a SQL text without comments and strings, in small letters but for quoted names."""

    def token(found: re.Match[str]) -> str:
        return found["quoted"] or (found["other"] or " ").lower()

    return " ".join(TOKENS.sub(token, sql).split()).split(";")


def _files(operation: Any) -> Iterator[RunSQLFile]:
    if isinstance(operation, RunSQLFile):
        yield operation
    for inner in getattr(operation, "database_operations", ()):
        yield from _files(inner)


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
