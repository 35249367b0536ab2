"""The SQL files: written from the one template, and reversible."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections

from rls.files import SQL_DIRECTORY
from rls.schema.policies import policies
from tests.support import postgres
from tests.support.postgres import Server

FILES = [*SQL_DIRECTORY.glob("[0-9]*.sql"), *Path("migrations_sql").glob("[0-9]*.sql")]
TABLES = sorted(path for path in FILES if "\nCREATE POLICY tenant_isolation" in path.read_text())


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_tables_file_is_written_from_the_template(path: Path) -> None:
    text = path.read_text()
    table = re.search(r"CREATE POLICY tenant_isolation ON (\w+)", text)
    assert table

    assert policies(table[1], "id" if table[1] == "core_tenant" else "tenant_id") in text


def test_every_file_has_a_revert_and_a_header() -> None:
    files = [path for path in FILES if not path.name.endswith(".revert.sql")]

    assert len(files) > 8
    for path in files:
        assert path.name in ("0000_roles.sql", "0001_superuser.sql") or path.with_suffix(".revert.sql").exists(), path
        assert re.match(r"-- \d{4} .+\n-- Afterwards (.+\n-- )*Needs: (.+\n-- )*Proved by: |-- \d{4}", path.read_text())


@pytest.fixture
def own_database(postgres_server: Server, database: str) -> str:
    """Another migrated database, for a test that takes it apart."""
    name = f"{database}_reverts"
    with postgres_server.database(name):
        postgres.use(postgres_server.urls(name))
        yield name
        connections.close_all()
        postgres.use(postgres_server.urls(database))


def objects(server: Server, name: str) -> list[str]:
    """Everything that the migrations make, as text."""
    with psycopg.connect(server.admin_url, dbname=name) as admin:
        return [
            text
            for (text,) in admin.execute(
                "SELECT format('%s %s %s', polrelid::regclass, polname, pg_get_expr(polqual, polrelid)) FROM pg_policy"
                " UNION ALL SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint"
                " WHERE connamespace = 'public'::regnamespace"
                " UNION ALL SELECT format('%s %s', c.oid::regclass, c.relacl) FROM pg_class c"
                " WHERE relnamespace IN ('public'::regnamespace, 'app'::regnamespace)"
                " UNION ALL SELECT format('%s %s', oid::regprocedure, proacl) FROM pg_proc"
                " WHERE pronamespace = 'app'::regnamespace"
                " ORDER BY 1"
            )
        ]


def test_the_migrations_revert_and_apply_again(own_database: str, postgres_server: Server) -> None:
    before = objects(postgres_server, own_database)

    call_command("migrate", "core", "zero", verbosity=0)
    call_command("migrate", "rls", "zero", verbosity=0)
    reverted = objects(postgres_server, own_database)
    call_command("migrate", verbosity=0)

    assert not [text for text in reverted if "core_" in text or text.startswith("app.no_tenant")]
    assert objects(postgres_server, own_database) == before
    assert [text for text in before if text.startswith("core_product tenant_isolation")]


def test_a_new_table_with_a_tenant_is_forced_at_once(admin: psycopg.Connection) -> None:
    forced = "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = 'fresh'::regclass"
    for make in (
        "CREATE TABLE fresh (tenant_id uuid)",
        "CREATE TABLE fresh AS SELECT NULL::uuid AS tenant_id",
        "CREATE TABLE fresh (id int); ALTER TABLE fresh ADD tenant_id uuid",
        "CREATE TABLE fresh (other uuid); ALTER TABLE fresh RENAME other TO tenant_id",
    ):
        admin.execute(make)

        assert admin.execute(forced).fetchone() == (True,), make
        admin.execute("ALTER TABLE fresh DISABLE ROW LEVEL SECURITY")
        assert admin.execute(forced).fetchone() == (True,), make
        admin.execute("DROP TABLE fresh")
