"""The access matrix: the committed file is what the live database says, and what really happens, cell by cell."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from psycopg import errors

from rls.audit import matrix
from rls.files import SQL_DIRECTORY
from tests.support.postgres import Server
from tests.support.world import World, platform_token

COMMITTED = Path("docs/reference/access-matrix.txt")

# What a role has to open before it works. app_resolver opens nothing, and nobody can log in as it.
CONTEXTS = {
    "app_tenant": "SET LOCAL app.current_tenant = '{tenant}'",
    "app_platform": "SET LOCAL app.platform_audit_id = '{record}'",
    "app_owner": "SET LOCAL app.migrating = 'on'; SET LOCAL app.current_tenant = '{tenant}'",
    "app_auditor": "SELECT 1",
    "app_resolver": "SELECT 1",
}


class Database:
    """A connection for each role, and the facts of the tables."""

    def __init__(self, server: Server, name: str, admin: psycopg.Connection) -> None:
        self.admin = admin
        self.connections = {
            role: psycopg.connect(server.url(name, role)) for role in CONTEXTS if role != "app_resolver"
        }
        # It reads by default, which a session can switch off: its rights are what is looked at.
        self.connections["app_auditor"].read_only = False
        self.connections["app_resolver"] = psycopg.connect(server.url(name, "app_owner"))
        platform = self.connections["app_platform"]
        with platform.transaction():
            opened = platform.execute("SELECT app.open_platform('tests', 'the access matrix', '')").fetchone()
        self.record = opened[0] if opened else None

    def tenant_column(self, table: str) -> str | None:
        row = self.admin.execute("SELECT tenant_column FROM app.tenanted_tables WHERE name = %s", [table]).fetchone()
        return row and row[0]

    def statement(self, cell: matrix.Cell, tenant: UUID) -> str:
        """A statement of the cell's command that touches rows of `tenant`, or any row of a shared table."""
        column = self.tenant_column(cell.table)
        where = f"WHERE {column} = '{tenant}'" if column else ""
        if cell.command == "SELECT":
            return f"SELECT 1 FROM {cell.table} {where}"
        if cell.command == "UPDATE":
            updated = self.columns(cell, "UPDATE")[0]
            return f"UPDATE {cell.table} SET {updated} = {updated} {where}"
        if cell.command == "INSERT":
            # A row that is there already: where the policy lets it through, the key refuses it.
            row = self.admin.execute(f"SELECT to_jsonb(t)::text FROM {cell.table} AS t {where} LIMIT 1").fetchone()
            values = (row or ["{}"])[0].replace("'", "''")
            columns = ", ".join(self.columns(cell, "INSERT"))
            return (
                f"INSERT INTO {cell.table} ({columns}) OVERRIDING SYSTEM VALUE"
                f" SELECT {columns} FROM jsonb_populate_record(NULL::{cell.table}, '{values}')"
            )
        return f"DELETE FROM {cell.table} {where}" if cell.command == "DELETE" else f"TRUNCATE {cell.table}"

    def columns(self, cell: matrix.Cell, right: str) -> list[str]:
        """The columns for which the role of the cell has the right, or else all."""
        rows = self.admin.execute(
            "SELECT quote_ident(attname), has_column_privilege(%s, attrelid, attnum, %s) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
            " ORDER BY attidentity, attnum",
            [cell.role, right, cell.table],
        ).fetchall()
        return [name for name, is_granted in rows if is_granted] or [name for name, _ in rows]

    def outcome(self, cell: matrix.Cell, tenant: UUID, *, inside: UUID | None) -> str:
        """What happens, in the words of the matrix; nothing is kept."""
        connection = self.connections[cell.role]
        statement = self.statement(cell, tenant)
        try:
            if cell.role == "app_resolver":
                connection.execute("SET LOCAL ROLE app_resolver")
            if inside:
                connection.execute(CONTEXTS[cell.role].format(tenant=inside, record=self.record))
            reached = connection.execute(statement).rowcount > 0
        except errors.InsufficientPrivilege as error:
            return "denied" if "permission denied" in str(error) else "error"
        except (errors.IntegrityError, errors.FeatureNotSupported):
            return "rows"  # a key stopped it, behind the policy
        finally:
            connection.rollback()
        return "rows" if reached else "nothing"


@pytest.fixture
def live(postgres_server: Server, database: str, admin: psycopg.Connection) -> Iterator[Database]:
    live = Database(postgres_server, database, admin)
    yield live
    for connection in live.connections.values():
        connection.close()


def is_kept(said: str, seen: str) -> bool:
    """`all` is said where no policy is asked: then rows are reached where there are any."""
    return seen in ("rows", "nothing") if said == "all" else seen == said


@pytest.mark.django_db
def test_the_committed_matrix_is_the_live_databases() -> None:
    live = matrix.as_table(matrix.read("auditor")) + "\n"

    assert live == COMMITTED.read_text(), "run `make matrix` on a migrated database, and read the diff"


def test_every_cell_is_what_happens(acme: World, globex: World, live: Database) -> None:
    platform_token()
    cells = matrix.read("auditor")
    wrong = []
    for cell in cells:
        seen = (
            live.outcome(cell, acme.id, inside=acme.id),
            live.outcome(cell, globex.id, inside=acme.id),
            live.outcome(cell, acme.id, inside=None),
        )
        if not all(map(is_kept, (cell.own, cell.other, cell.none), seen)):
            wrong.append((cell, seen))

    assert wrong == []
    assert {cell.own for cell in cells if cell.role == "app_tenant"} == {"rows", "denied", "all"}
    assert {cell.other for cell in cells if cell.role == "app_tenant"} == {"nothing", "error", "denied", "all"}


@pytest.mark.parametrize(
    ("weaker", "command", "cell"),
    [
        ("ALTER POLICY tenant_isolation ON core_product USING (true)", "SELECT", ("rows", "rows", "rows")),
        ("ALTER TABLE core_product OWNER TO app_tenant", "TRUNCATE", ("all", "all", "all")),
        ("DROP POLICY tenant_isolation ON core_product", "INSERT", ("error", "error", "error")),
        (
            "CREATE POLICY second ON core_product TO PUBLIC USING (stock > 0)",
            "DELETE",
            ("as second, tenant_isolation",) * 3,
        ),
    ],
)
def test_a_weaker_database_has_another_matrix(
    weaker: str, command: str, cell: tuple[str, str, str], admin: psycopg.Connection, live: Database
) -> None:
    statement = (SQL_DIRECTORY / "matrix.sql").read_text()
    with admin.transaction(force_rollback=True):
        admin.execute(weaker)
        cells = [matrix.Cell(*row) for row in admin.execute(statement)]

    [found] = [
        each
        for each in cells
        if (each.table, each.role, each.command) == ("public.core_product", "app_tenant", command)
    ]
    assert (found.own, found.other, found.none) == cell


def explained(*arguments: str) -> str:
    out = io.StringIO()
    call_command("rls", "explain", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_explain_names_what_a_role_reaches_and_the_policy_that_decides() -> None:
    product, token = explained("core.Product", "--role", "app_tenant"), explained("mcp_tokens.ApiToken")

    assert "    SELECT    own tenant: rows; other tenant: nothing; no context: error  (tenant_isolation)" in product
    assert "policy tenant_isolation FOR ALL TO app_tenant\n    USING (tenant_id = ( SELECT COALESCE(" in product
    assert "platform_access" not in product
    assert "app_tenant\n    no right\n" in token
    assert "policy token_lookup FOR SELECT TO app_resolver\n    USING true\n" in token


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["core.Nothing"], "core.Nothing is not a model"),
        (["nonsense"], "nonsense is not a model"),
        (["core.Product", "--role", "postgres"], "postgres is not a role of the project"),
    ],
)
@pytest.mark.django_db
def test_explain_says_what_it_needs(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        explained(*arguments)
