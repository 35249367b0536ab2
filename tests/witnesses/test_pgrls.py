"""`pgrls lint`, which knows nothing of this project, finds nothing that `pgrls.toml` does not explain."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.support.postgres import Server

pytestmark = pytest.mark.slow

ALLOWED = Path(__file__).with_name("pgrls.toml")
UNGUARDED = "ALTER EVENT TRIGGER keep_row_security DISABLE; "

# (rule, level, location, drift): what pgrls calls it, and what somebody does with psql.
STORIES = [
    ("SEC001", "error", "public.fresh", UNGUARDED + "CREATE TABLE fresh (tenant_id uuid)"),
    ("SEC002", "error", "public.core_product", UNGUARDED + "ALTER TABLE core_product NO FORCE ROW LEVEL SECURITY"),
    ("SEC032", "error", "public.core_product", UNGUARDED + "ALTER TABLE core_product DISABLE ROW LEVEL SECURITY"),
    ("SEC038", "error", "public.core_product.tenant_isolation",
     "ALTER POLICY tenant_isolation ON core_product USING (true)"),
    ("SEC038", "error", "public.core_order.tenant_isolation",
     "ALTER POLICY tenant_isolation ON core_order USING"
     " (current_setting('app.current_tenant', true) IS NULL OR tenant_id = app.tenant_or_null())"),
    ("SEC020", "warning", "public.core_order.tenant_isolation",
     "ALTER POLICY tenant_isolation ON core_order WITH CHECK (true)"),
    ("SEC003", "error", "public.core_order.second", "CREATE POLICY second ON core_order USING (number > 0)"),
    ("SEC014", "warning", "app.uuid7", "ALTER FUNCTION app.uuid7 SECURITY DEFINER"),
    ("SEC035", "warning", "public.core_product (wide)", "CREATE UNIQUE INDEX wide ON core_product (sku)"),
    ("VIEW001", "error", "public.leak", "CREATE VIEW leak AS SELECT * FROM core_product"),
]  # fmt: skip


@pytest.fixture(scope="module")
def reader(postgres_server: Server, django_db_setup: str) -> Iterator[str]:
    """A role that reads the catalog and nothing else: pgrls needs to connect, and set_config() for its search_path."""
    name = f"{django_db_setup}_pgrls"
    password = sql.Literal(postgres_server.password(name))
    with psycopg.connect(postgres_server.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), password))
        yield name
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@contextmanager
def copy(server: Server, reader: str, drift: str = "") -> Iterator[str]:
    """The address, for `reader`, of a throw-away copy of the migrated database in which `drift` happened."""
    with server.database(f"{reader}_{'drifted' if drift else 'migrated'}") as name:
        with psycopg.connect(server.admin_url, dbname=name) as admin:
            for right in ("CONNECT ON DATABASE {0}", "EXECUTE ON FUNCTION set_config(text, text, boolean)"):
                admin.execute(sql.SQL(f"GRANT {right} TO {{1}}").format(sql.Identifier(name), sql.Identifier(reader)))
            admin.execute(drift)
        yield server.url(name, reader)


def lint(address: str, *arguments: str) -> list[tuple[str, str, str]]:
    """Rule, level and location of each finding."""
    command = [sys.executable, "-m", "pgrls", "lint", "--format", "json", "--schemas", "app,public", *arguments]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "DATABASE_URL": address}
    )
    assert ran.stdout.startswith("{"), ran.stderr
    return [(each["rule_id"], each["severity"], each["location"]) for each in json.loads(ran.stdout)["violations"]]


def lint_with_reasons(address: str) -> list[tuple[str, str, str]]:
    """What is left of errors and warnings when `pgrls.toml` has explained its part."""
    return lint(address, "--config", str(ALLOWED), "--min-severity", "warning")


@pytest.fixture(scope="module")
def migrated(postgres_server: Server, reader: str) -> Iterator[str]:
    """The address of a database that only the migrations touched."""
    with copy(postgres_server, reader) as address:
        yield address


def allowed() -> list[tuple[str, str]]:
    """Rule and location of each entry of `pgrls.toml`; a rule that is disabled has no location."""
    settings = tomllib.loads(ALLOWED.read_text())["lint"]
    entries = [(rule, entry) for rule, options in settings["rules"].items() for entry in options["allowlist"]]
    return [*entries, *((rule, "") for rule in settings["disable"])]


def test_every_finding_is_explained(migrated: str) -> None:
    assert lint_with_reasons(migrated) == [], "mend it, or give the reason in tests/witnesses/pgrls.toml"


def test_every_explanation_has_its_finding(migrated: str) -> None:
    found = lint(migrated)

    # A location may go on behind the table: "public.core_tenant (core_tenant_subdomain_key)".
    seen = {(rule, place) for rule, _, location in found for place in (location, location.partition(" ")[0], "")}

    assert [entry for entry in allowed() if entry not in seen] == [], "take these out of tests/witnesses/pgrls.toml"


def test_every_explanation_has_words() -> None:
    explained = re.findall(r'^    "([^"]+)",  # \S.+$', ALLOWED.read_text(), re.MULTILINE)

    assert sorted(explained) == sorted(entry or rule for rule, entry in allowed())


@pytest.mark.parametrize(("rule", "level", "location", "drift"), STORIES)
def test_a_drift_is_a_new_finding(
    rule: str, level: str, location: str, drift: str, reader: str, postgres_server: Server
) -> None:
    with copy(postgres_server, reader, drift) as address:
        left = lint_with_reasons(address)

    assert (rule, level, location) in left
