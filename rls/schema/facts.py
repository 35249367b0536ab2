"""Collects the policies and keys that SQL texts make, and follows them when a table or a column is renamed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from rls.schema import parsing as sql
from rls.schema.keys import TenantForeignKey, TenantKey, canonical, constraint_name

Key = TypeVar("Key", TenantKey, TenantForeignKey)


@dataclass(frozen=True, slots=True)
class Origin:
    """The migration, as (app label, name), that runs a SQL file, the file's name, and that of the table in it."""

    migration: tuple[str, str]
    file: str
    table: str = field(default="", compare=False)

    @property
    def label(self) -> str:
        """The file; of SQL that a migration holds itself, the migration."""
        return self.file or ".".join(self.migration)


class Place(NamedTuple):
    """A table, or a column of it."""

    table: str
    column: str | None = None


@dataclass(slots=True)
class Facts:
    """The policies and keys that SQL texts make, under the current names of their tables and columns."""

    policies: dict[str, Origin] = field(default_factory=dict)
    tenant_keys: dict[TenantKey, Origin] = field(default_factory=dict)
    foreign_keys: dict[TenantForeignKey, Origin] = field(default_factory=dict)
    # Tables with an index that starts with the tenant and is not one of the keys.
    led: set[str] = field(default_factory=set)
    # What stands in app.declared_exceptions: the rule and the object.
    declared: set[tuple[str, str]] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether there is a policy or a key."""
        return bool(self.policies or self.tenant_keys or self.foreign_keys)

    def is_declared(self, rule: str, pattern: str) -> bool:
        """Whether an exception of `rule` is declared for an object whose text, without quotes, the pattern matches."""
        return any(each == rule and re.fullmatch(pattern, name.replace('"', "")) for each, name in self.declared)

    def take(self, text: str, origin: Origin) -> None:
        """Apply the statements of a SQL text, in order; `origin` is the file that holds them."""
        self.declared |= sql.declared(text)
        for statement in sql.statements(text):
            self._take_policies(statement, origin)
            self._take_indexes(statement, origin)
            if altered := sql.ALTER_TABLE.search(statement):
                self._take_alter_table(statement, canonical(altered[1]), origin)
            elif dropped := sql.DROP_TABLE.search(statement):
                self.move(Place(canonical(dropped[1])), None)

    def move(self, before: Place, after: Place | None) -> Facts:
        """Rename a table or a column, or drop it where `after` is None. Returns what was dropped with it."""
        lost = Facts()
        if before == after:
            return lost

        def now(table: str, column: str | None = None) -> tuple[str, str]:
            """The table and column under their new names; two empty texts where they are dropped."""
            if table != before.table or before.column not in (None, column):
                return table, column or ""
            if after is None:
                return "", ""
            return after.table, (column if before.column is None else after.column) or ""

        def keep(facts: dict[Any, Origin], gone: dict[Any, Origin], moved: Any) -> dict[Any, Origin]:
            kept: dict[Any, Origin] = {}
            for fact, origin in facts.items():
                new = moved(fact)
                (gone if new is None else kept)[fact if new is None else new] = origin
            return kept

        def table_now(table: str) -> str | None:
            return now(table)[0] or None

        def key_now(key: TenantKey) -> TenantKey | None:
            table, column = now(key.table, key.column)
            return replace(key, table=table, column=column) if table else None

        def foreign_key_now(key: TenantForeignKey) -> TenantForeignKey | None:
            child, parent = now(key.table, key.column), now(key.parent, key.parent_column)
            names = (*child, *parent)
            return TenantForeignKey(*names, key.name) if all(names) else None

        self.policies = keep(self.policies, lost.policies, table_now)
        self.tenant_keys = keep(self.tenant_keys, lost.tenant_keys, key_now)
        self.foreign_keys = keep(self.foreign_keys, lost.foreign_keys, foreign_key_now)
        self.led = {new for table in self.led if (new := table_now(table))}
        return lost

    def free(self, key: Key) -> Key:
        """`key` with a name that no other key has: keys keep their names when a table or a column is renamed."""
        # A unique key has the name of its index, which is one in the schema; a foreign key's is one in its table.
        names = {other.name for other in self.tenant_keys}
        names |= {other.name for other in self.foreign_keys if other.table == key.table}
        is_unique = isinstance(key, TenantKey)
        stem, suffix = (key.table, "tenant_key") if is_unique else (f"{key.table}_{key.column}", "tenant_fkey")
        free, number = key, 1
        while free.name in names:
            free = replace(key, name=constraint_name(f"{stem}{number}", suffix))
            number += 1
        return free

    def _take_policies(self, statement: str, origin: Origin) -> None:
        for found in sql.DROP_POLICY.finditer(statement):
            self.policies.pop(canonical(found[1]), None)
        for found in sql.POLICY.finditer(statement):
            table = canonical(found[1])
            self.policies[table] = replace(origin, table=table)

    def _take_indexes(self, statement: str, origin: Origin) -> None:
        for found in sql.UNIQUE_INDEX.finditer(statement):
            key = TenantKey(canonical(found[2]), canonical(found[3]), is_index=True)
            self.tenant_keys[_named(key, found[1], "idx")] = origin
        # Without the keys: they may be dropped by name later, and then no longer count as an index.
        for found in sql.LEADING_INDEX.finditer(sql.UNIQUE_INDEX.sub("", statement)):
            self.led.add(canonical(found[1]))
        for found in sql.DROP_INDEX.finditer(statement):
            self._drop_key(None, canonical(found[1]))
        for found in sql.RENAME_INDEX.finditer(statement):
            self._rename_key(None, canonical(found[1]), canonical(found[2]))

    def _take_alter_table(self, statement: str, table: str, origin: Origin) -> None:
        for found in sql.DROP_CONSTRAINT.finditer(statement):
            self._drop_key(table, canonical(found[1]))
        for found in sql.UNIQUE.finditer(statement):
            self.tenant_keys[_named(TenantKey(table, canonical(found[2])), found[1], "key")] = origin
        for found in sql.FOREIGN_KEY.finditer(statement):
            names = [canonical(name) for name in found.groups()[1:]]
            self.foreign_keys[_named(TenantForeignKey(table, *names), found[1], "fkey")] = origin
        if sql.LEADING_KEY.search(sql.UNIQUE.sub("", statement)):
            self.led.add(table)
        for found in sql.RENAME_CONSTRAINT.finditer(statement):
            self._rename_key(table, canonical(found[1]), canonical(found[2]))
        for found in sql.RENAME_COLUMN.finditer(statement):
            self.move(Place(table, canonical(found[1])), Place(table, canonical(found[2])))
        if renamed := sql.RENAME_TABLE.search(statement):
            schema, dot, _ = table.rpartition(".")
            self.move(Place(table), Place(f"{schema}{dot}{canonical(renamed[1])}"))

    def _drop_key(self, table: str | None, name: str) -> None:
        def kept(keys: dict[Key, Origin]) -> dict[Key, Origin]:
            return {key: origin for key, origin in keys.items() if not _is_called(key, table, name)}

        self.tenant_keys, self.foreign_keys = kept(self.tenant_keys), kept(self.foreign_keys)

    def _rename_key(self, table: str | None, old: str, new: str) -> None:
        def renamed(keys: dict[Key, Origin]) -> dict[Key, Origin]:
            return {
                replace(key, name=new) if _is_called(key, table, old) else key: origin for key, origin in keys.items()
            }

        self.tenant_keys, self.foreign_keys = renamed(self.tenant_keys), renamed(self.foreign_keys)


def _named(key: Key, name: str | None, kind: str) -> Key:
    """`key` under the name that its SQL gives it, or PostgreSQL where the SQL gives none."""
    return replace(key, name=canonical(name) if name else f"{key.table}_tenant_id_{key.column}_{kind}")


def _is_called(key: TenantKey | TenantForeignKey, table: str | None, name: str) -> bool:
    return key.name == name and table in (None, key.table)
