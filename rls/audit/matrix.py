"""The access matrix: what each role can reach in each table of the live database, and the policies that decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import groupby

from django.db import connections
from django.db.models import Model

from rls.files import SQL_DIRECTORY

RELATION_SQL = """
SELECT format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%s)
"""

POLICIES_SQL = """
SELECT policyname, cmd, array_to_string(roles, ', '), COALESCE(qual, ''), COALESCE(with_check, '')
FROM pg_catalog.pg_policies
WHERE format('%%I.%%I', schemaname, tablename) = %s
ORDER BY policyname
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one command of one role reaches in one table.

    `own`, `other` and `none` are words that `rls/sql/matrix.sql` explains: for rows of the role's own tenant, of
    another tenant, and without a context. `policies` are names joined by ", ".
    """

    table: str
    role: str
    command: str
    own: str
    other: str
    none: str
    policies: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A row security policy, as PostgreSQL prints it."""

    name: str
    command: str
    roles: str
    using: str
    with_check: str


def read(alias: str) -> list[Cell]:
    """The access matrix of the database of `alias`, ordered by table, role and command.

    The role of `alias` needs the privileges of `app_auditor`.
    """
    with connections[alias].cursor() as cursor:
        cursor.execute((SQL_DIRECTORY / "matrix.sql").read_text(encoding="utf-8"))
        return [Cell(*row) for row in cursor.fetchall()]


def relation(alias: str, model: type[Model]) -> str | None:
    """The table of `model` with its schema, as the matrix writes it; None where the database has no such table."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(RELATION_SQL, [connection.ops.quote_name(model._meta.db_table)])
        row: tuple[str] | None = cursor.fetchone()
    return row[0] if row else None


def policies(alias: str, table: str) -> list[Policy]:
    """The policies of `table`, a name with its schema: "public.helpdesk_ticket"."""
    with connections[alias].cursor() as cursor:
        cursor.execute(POLICIES_SQL, [table])
        return [Policy(*row) for row in cursor.fetchall()]


def as_table(cells: Sequence[Cell]) -> str:
    """The matrix in columns, a line a cell, for people and for `diff`."""
    rows = [tuple(field.name for field in fields(Cell)), *map(astuple, cells)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def explain(alias: str, table: str, role: str | None = None) -> str:
    """What each role (or `role`) can do with the rows of `table`, and the policies that decide, in lines."""
    cells = [cell for cell in read(alias) if cell.table == table and role in (None, cell.role)]
    lines = [table]
    for name, commands in groupby(cells, key=lambda cell: cell.role):
        lines += ["", name, *_reach(commands)]
    # Policies of roles and commands that have no privilege at all decide nothing.
    deciding = {name for cell in cells if cell.own != "denied" for name in cell.policies.split(", ")}
    for policy in policies(alias, table):
        if policy.name in deciding:
            lines += ["", f"policy {policy.name} FOR {policy.command} TO {policy.roles}"]
            lines += [f"    USING {policy.using}"] if policy.using else []
            lines += [f"    WITH CHECK {policy.with_check}"] if policy.with_check else []
    return "\n".join(lines)


def _reach(cells: Iterable[Cell]) -> list[str]:
    granted = [cell for cell in cells if cell.own != "denied"]
    return [
        f"    {cell.command:<8}  own tenant: {cell.own}; other tenant: {cell.other}; no context: {cell.none}"
        + (f"  ({cell.policies})" if cell.policies else "")
        for cell in granted
    ] or ["    no right"]
