"""Runs Django's `runtests.py` in processes that have databases of their own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.django_suite.source import PLACE, ROOT

OURS, STOCK = "tests.django_suite.backend", "django.db.backends.postgresql"
ROLE = "django_suite"
ALIASES = ("default", "other")

# What the tables of the tests need and their owner can't make: an extension that is not trusted and, without ICU,
# a stand-in for a collation.
PREPARED = {
    "SELECT FROM pg_available_extensions WHERE name = 'bloom'": "CREATE EXTENSION bloom",
    "SELECT WHERE NOT EXISTS (SELECT FROM pg_collation WHERE collname = 'sv-x-icu')": (
        """CREATE COLLATION public."sv-x-icu" (provider = libc, locale = 'C')"""
    ),
}


class Unfinished(Exception):
    """A run ended before its last test. The message names its output."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Django's tests in a directory, and a superuser's URL of the server that they run on."""

    tests: Path
    admin_url: str = field(repr=False)
    password: str = field(default_factory=secrets.token_hex, repr=False)

    @contextmanager
    def role(self) -> Iterator[None]:
        """The role that the tests connect as: it owns their databases, and row-level security binds it."""
        role = sql.Identifier(ROLE)
        with self._admin() as admin:
            if admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
                admin.execute(sql.SQL("CREATE ROLE {}").format(role))
            admin.execute(
                sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD {}").format(
                    role, sql.Literal(self.password)
                )
            )
        try:
            yield
        finally:
            with self._admin() as admin:
                admin.execute(sql.SQL("DROP ROLE {}").format(role))

    def run(self, engine: str, labels: Sequence[str], *, name: str) -> dict[str, str]:
        """What became of each test on this backend. The output goes to a log of this name.

        Raises Unfinished.
        """
        log = PLACE / f"{name}.log"
        command = [sys.executable, "runtests.py", "--settings", "tests.django_suite.settings"]
        command += ["--keepdb", "--noinput", "--parallel", "1", *labels]
        with self._databases(f"{ROLE}_{name}") as prefix, TemporaryDirectory() as scratch, log.open("w") as output:
            outcomes = Path(scratch, "outcomes.json")
            environment = {
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "DJANGO_SUITE_ENGINE": engine,
                "DJANGO_SUITE_PLACE": make_conninfo(self.admin_url, user=ROLE, password=self.password, dbname=prefix),
                "DJANGO_SUITE_OUTCOMES": str(outcomes),
            }
            done = subprocess.run(
                command,
                cwd=self.tests,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
            if not outcomes.exists():
                raise Unfinished(f"a run ended before its last test, with status {done.returncode}: read {log}")
            return dict(json.loads(outcomes.read_text()))

    @contextmanager
    def _databases(self, prefix: str) -> Iterator[str]:
        """A database for each alias of the settings, for one run. Yields what their names begin with."""
        names = [f"{prefix}_{alias}" for alias in ALIASES]
        with self._admin() as admin:
            for name in names:
                self._drop(admin, name)
                admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(ROLE)))
                with psycopg.connect(self.admin_url, dbname=name) as inside:
                    for missing, statement in PREPARED.items():
                        if inside.execute(missing).fetchone() is not None:
                            inside.execute(statement)
        try:
            yield prefix
        finally:
            with self._admin() as admin:
                for name in names:
                    self._drop(admin, name)

    def _drop(self, admin: psycopg.Connection, name: str) -> None:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(self.admin_url, autocommit=True)
