"""The keys that include the tenant: their names, and the SQL that makes and drops them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.db.backends.utils import names_digest

# PostgreSQL truncates a longer name silently (NAMEDATALEN - 1 bytes, 4.1.1).
MAX_NAME_BYTES = 63
# Names with an underscore are no keywords, but for the likes of current_user; "id" is none either.
PLAIN_NAME_PATTERN = re.compile(r"id|(?!current_|session_|system_)[a-z]+[a-z0-9]*(_[a-z0-9]+)+")


@dataclass(frozen=True, slots=True)
class TenantKey:
    """`UNIQUE (tenant_id, column)`: what foreign keys of other tables refer to.

    Names are canonical (see `canonical`). Two keys are equal whatever their names: a constraint keeps its name when its
    table is renamed. Without a name it gets `<table>_tenant_key`.
    """

    table: str
    column: str
    name: str = field(default="", compare=False)
    is_index: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", constraint_name(self.table, "tenant_key"))

    @property
    def add(self) -> str:
        columns = f"(tenant_id, {quoted(self.column)})"
        if self.is_index:
            return f"CREATE UNIQUE INDEX {quoted(self.name)} ON {quoted(self.table)} {columns};"
        return f"ALTER TABLE {quoted(self.table)} ADD CONSTRAINT {quoted(self.name)} UNIQUE {columns};"

    @property
    def drop(self) -> str:
        if self.is_index:
            return f"DROP INDEX {quoted(self.name)};"
        return f"ALTER TABLE {quoted(self.table)} DROP CONSTRAINT {quoted(self.name)};"


@dataclass(frozen=True, slots=True)
class TenantForeignKey:
    """`FOREIGN KEY (tenant_id, column) REFERENCES parent (tenant_id, parent_column)`; equality as of `TenantKey`."""

    table: str
    column: str
    parent: str
    parent_column: str
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", constraint_name(f"{self.table}_{self.column}", "tenant_fkey"))

    @property
    def parent_key(self) -> TenantKey:
        return TenantKey(self.parent, self.parent_column)

    @property
    def references(self) -> str:
        return (
            f"(tenant_id, {quoted(self.column)}) "
            f"REFERENCES {quoted(self.parent)} (tenant_id, {quoted(self.parent_column)})"
        )

    @property
    def add(self) -> str:
        return (
            f"ALTER TABLE {quoted(self.table)} ADD CONSTRAINT {quoted(self.name)}\n    FOREIGN KEY {self.references};"
        )

    @property
    def drop(self) -> str:
        return f"ALTER TABLE {quoted(self.table)} DROP CONSTRAINT {quoted(self.name)};"


def constraint_name(stem: str, suffix: str) -> str:
    """`<stem>_<suffix>` in at most 63 bytes; a digest of the whole stands for what is cut."""
    name = f"{plain(stem)}_{suffix}"
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    room = MAX_NAME_BYTES - len(suffix) - 10
    head = plain(stem).encode()[:room].decode(errors="ignore")
    return f"{head}_{names_digest(name, length=8)}_{suffix}"


def canonical(table: str) -> str:
    """A table's name as Django or a SQL file writes it, without quotes and without the schema `public`."""
    parts = re.findall(r'"[^"]+"|[^".\s]+', table) if '"' in table else table.split(".")
    # Without quotes PostgreSQL folds to lower case; Django always quotes.
    names = [part.strip().strip('"') for part in parts]
    return ".".join(names[1:] if len(names) > 1 and names[0] == "public" else names)


def plain(table: str) -> str:
    """A table's name as a part of another name."""
    return re.sub(r"\W+", "_", table)


def quoted(name: str) -> str:
    """A canonical name as SQL, in quotes where it could be a keyword or has other than small letters."""
    return ".".join(part if PLAIN_NAME_PATTERN.fullmatch(part) else f'"{part}"' for part in name.split("."))
