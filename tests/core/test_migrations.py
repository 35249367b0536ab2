"""What a migration does stays what it was when it was written."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import core.migrations

DIRECTORY = Path(core.migrations.__file__).parent
MIGRATIONS = sorted(path for path in DIRECTORY.glob("*.py") if path.name[0].isdigit())
FROZEN = sorted(path for path in DIRECTORY.glob("_*.py") if path.name != "__init__.py")
# What the libraries offer to the migrations of any project.
OPERATIONS = ("rls.operations", "rls.models", "mcp_server.operations")
OURS = ("core", "mcp_server", "rls")


def imported(path: Path) -> Iterator[str]:
    """The modules, and what is taken out of them, that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"write the whole name: {path.name}"
            yield from (f"{node.module}.{each.name}" for each in node.names)


def ours(path: Path) -> list[str]:
    return [name for name in imported(path) if name.partition(".")[0] in OURS]


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_uses_no_code_that_changes(path: Path) -> None:
    frozen = tuple(f"core.migrations.{each.stem}" for each in FROZEN)

    changing = [
        name for name in ours(path) if not f"{name}.".startswith(tuple(f"{each}." for each in OPERATIONS + frozen))
    ]

    assert not changing, f"copy what it needs of {changing} into a module beside it that begins with _ and is frozen"


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.stem)
def test_what_is_frozen_stands_alone_and_says_so(path: Path) -> None:
    assert not ours(path)
    assert (ast.get_docstring(ast.parse(path.read_text())) or "").startswith("Frozen: ")
    assert any(f"core.migrations.{path.stem}" in imported(each) for each in MIGRATIONS), "no migration needs it"
