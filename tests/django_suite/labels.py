"""Which of Django's tests are run: all whose subject has to do with a database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import psycopg

# What `runtests.py` leaves out itself, and what wants PostGIS.
NO_TESTS = {"gis_tests", "import_error_package", "test_runner_apps"}

# They send no statement, or only what makes their databases.
PURE_PYTHON = Path(__file__).with_name("pure_python.txt")

# Extensions without which the tables of these can't be made.
EXTENSIONS = {
    "db_functions": ("pgcrypto",),
    "postgres_tests": ("bloom", "btree_gin", "btree_gist", "citext", "hstore", "pg_trgm", "unaccent", "uuid-ossp"),
}


def everything(tests: Path) -> list[str]:
    """The labels that are run where none is named."""
    found = {file.parent.name for file in tests.glob("*/__init__.py")}
    return sorted(found - NO_TESTS - set(PURE_PYTHON.read_text().split()))


def lacking(labels: Collection[str], admin_url: str) -> list[str]:
    """Those of these labels that this server has not the extensions for."""
    with psycopg.connect(admin_url) as admin:
        found = {name for (name,) in admin.execute("SELECT name FROM pg_available_extensions").fetchall()}
    return [label for label in labels if not found.issuperset(EXTENSIONS.get(module(label), ()))]


def deal(labels: Collection[str], batches: int, tests: Path) -> list[Sequence[str]]:
    """The labels in batches of about the same size."""
    by_size = sorted(labels, key=lambda label: _size(tests / module(label)), reverse=True)
    return [dealt for number in range(batches) if (dealt := by_size[number::batches])]


def module(label: str) -> str:
    """The first part of `queries.test_q.QTests`."""
    return label.partition(".")[0]


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*.py"))
