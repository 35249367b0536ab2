"""Writes the SQL files that drop policies and keys before a Django operation drops their table or column.

Django's DeleteModel and RemoveField bring a bare table or column back when they are reversed. So a SQL file takes the
policies and keys away first, and its revert, which runs last on the way back, makes them again.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

from django.core.management.base import CommandError

from rls.schema import parsing as sql
from rls.schema.facts import Facts, Origin
from rls.schema.keys import TenantForeignKey, TenantKey, canonical, plain, quoted
from rls.schema.sql_files import header
from rls.schema.written import Taken

IMPORT_LINE = "from rls.operations import RunSQLFile"


def subject(taken: Taken) -> str:
    """What the file is about, as a part of its name."""
    columns = [key.column for key in taken.facts.foreign_keys if key.table == taken.table]
    what = "" if taken.facts.policies else f"_{columns[0]}" if len(columns) == 1 else "_keys"
    return plain(f"{taken.table}{what}_removed")


def files(name: str, taken: Taken, directory: Path) -> tuple[str, str]:
    """The text of the file `name` and of its revert; the files that made what is taken are in `directory`."""
    facts = taken.facts
    made, dropped = [], []
    for table, origin in facts.policies.items():
        forward, backward = _sources(table, origin, directory)
        made += forward
        dropped += backward
    keys: list[TenantKey | TenantForeignKey] = [*facts.tenant_keys, *facts.foreign_keys]
    number, _, what = name.partition("_")
    migration = ".".join(taken.migration)
    first = header(
        f"{number} {what}: before {migration} takes it",
        f"Afterwards {taken.table} has nothing left of what goes with {_what(taken)}; the revert makes it again when "
        f"{migration} is reversed.",
        needs=_origins(facts),
    )
    return (
        "\n".join([first, *(key.drop for key in reversed(keys)), *dropped]) + "\n",
        "\n\n".join([f"-- Reverts {number} {what}.", *made, *(key.add for key in keys)]) + "\n",
    )


def inserted(text: str, path: Path, names: Mapping[int, list[str]], count: int) -> str:
    """The source of a migration with `RunSQLFile(name)` before the operation at each place of `names`.

    `count` is how many operations it has.
    """
    tree = ast.parse(text)
    operations = _operations(tree)
    if operations is None or len(operations) != count:
        raise CommandError(
            f"{path} has no plain list of operations: put "
            + ", ".join(f'RunSQLFile("{name}") before number {place + 1}' for place in names for name in names[place])
            + " by hand"
        )
    lines = text.splitlines(keepends=True)
    # From the last to the first, so that an insertion moves no place that is still to come.
    for place in sorted(names, reverse=True):
        # ast counts columns in bytes of UTF-8, not in characters.
        row, column = operations[place].lineno - 1, operations[place].col_offset
        before, after = lines[row].encode()[:column].decode(), lines[row].encode()[column:].decode()
        between = " " if before.strip() else f"\n{before}"
        lines[row] = before + "".join(f'RunSQLFile("{name}"),{between}' for name in names[place]) + after
    if not _is_imported(tree):
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        lines.insert(imports[-1].end_lineno or 0 if imports else 0, f"{IMPORT_LINE}\n")
    return "".join(lines)


def _what(taken: Taken) -> str:
    columns = sorted({key.column for key in taken.facts.foreign_keys if key.table == taken.table})
    return "the table" if taken.facts.policies or not columns else f"its column {', '.join(columns)}"


def _origins(facts: Facts) -> list[Origin]:
    made = [*facts.policies.values(), *facts.tenant_keys.values(), *facts.foreign_keys.values()]
    return list(dict.fromkeys(made))


def _sources(table: str, origin: Origin, directory: Path) -> tuple[list[str], list[str]]:
    """The statements about `table` in its file and in that file's revert, without keys, under the current table name.

    They are copied and not generated, so that what was edited by hand, such as fewer rights, comes back as it was.
    """
    try:
        forward, backward = (
            (directory / f"{origin.file}{ending}").read_text(encoding="utf-8") for ending in (".sql", ".revert.sql")
        )
    except OSError as error:
        raise CommandError(
            f"the policies of {table} come from {origin.label}, which is no SQL file of {directory} with a revert: "
            "write the file that takes them away by hand"
        ) from error
    # Keys are left out: their table or column may have been renamed since, so they are generated from current names.
    keys = Facts()
    keys.take(forward, origin)
    names = {key.name for key in keys.tenant_keys} | {key.name for key in keys.foreign_keys}
    return (
        [each for each in _about(table, origin, forward) if not _makes_key(each)],
        [each for each in _about(table, origin, backward) if not _drops_key(each, names)],
    )


def _about(table: str, origin: Origin, text: str) -> list[str]:
    """The statements of `text` that name the table, without the header of the file."""
    # Not a part of a longer name: `core_order` is not in `core_orderitem`, nor in `"core_order x"`.
    name = re.compile(rf'(?<![\w$"])"?{re.escape(origin.table)}"?(?![\w$"])')
    body = re.sub(r"\A(?:\s*--[^\n]*\n)+", "", text)
    found = [f"{each.strip()};" for each in sql.texts(body) if name.search(each)]
    return found if table == origin.table else [name.sub(lambda _: quoted(table), each) for each in found]


def _makes_key(statement: str) -> bool:
    keys = Facts()
    keys.take(statement, Origin(("", ""), ""))
    return bool(keys.tenant_keys or keys.foreign_keys)


def _drops_key(statement: str, names: set[str]) -> bool:
    [normal, *_] = sql.statements(statement)
    dropped = [*sql.DROP_CONSTRAINT.findall(normal), *sql.DROP_INDEX.findall(normal)]
    return any(canonical(name) in names for name in dropped)


def _operations(tree: ast.Module) -> list[ast.expr] | None:
    """The operations of a migration, where they are a list in its class."""
    for migration in tree.body:
        if not (isinstance(migration, ast.ClassDef) and migration.name == "Migration"):
            continue
        for statement in migration.body:
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(id="operations")], value=ast.List(elts=elements))
                    | ast.AnnAssign(target=ast.Name(id="operations"), value=ast.List(elts=elements))
                ):
                    return elements
    return None


def _is_imported(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "rls.operations"
        and any(alias.name == "RunSQLFile" and alias.asname is None for alias in node.names)
        for node in tree.body
    )
