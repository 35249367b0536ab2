"""Roles and the superuser part: they can be run again, and stop at a role that is stronger than they made it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from rls.files import SQL_DIRECTORY
from tests.support.postgres import Server

ROLES_SQL, SUPERUSER_SQL = ((SQL_DIRECTORY / name).read_text() for name in ("0000_roles.sql", "0001_superuser.sql"))


@pytest.fixture
def scratch(admin: psycopg.Connection) -> psycopg.Connection:
    """A superuser in a transaction that is rolled back."""
    with admin.transaction(force_rollback=True):
        # Roles are the cluster's: another worker may not change one meanwhile.
        admin.execute("LOCK TABLE pg_authid IN EXCLUSIVE MODE")
        yield admin


def test_they_can_be_run_again(scratch: psycopg.Connection) -> None:
    scratch.execute(ROLES_SQL)
    scratch.execute(SUPERUSER_SQL)

    assert scratch.execute("SELECT count(*) FROM app.isolation_findings").fetchone() == (0,)


@pytest.mark.parametrize("right", ["SUPERUSER", "BYPASSRLS", "CREATEROLE", "REPLICATION"])
def test_a_role_with_rights_that_it_must_not_have_stops_it(right: str, scratch: psycopg.Connection) -> None:
    scratch.execute(f"ALTER ROLE app_tenant {right}")

    with pytest.raises(psycopg.errors.RaiseException, match="app_tenant exists with rights it must not have"):
        scratch.execute(ROLES_SQL)


@pytest.mark.parametrize("role", ["app_owner", "app_tenant", "app_platform", "app_auditor", "app_resolver"])
def test_no_role_bypasses_row_level_security(role: str, admin: psycopg.Connection) -> None:
    facts = admin.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit, rolcanlogin,"
        " rolconnlimit >= 0"
        " FROM pg_roles WHERE rolname = %s",
        [role],
    ).fetchone()

    assert facts == (False, False, False, False, False, False, role != "app_resolver", True)


def test_two_first_commands_side_by_side_make_one_database(postgres_server: Server, database: str) -> None:
    name = f"{database}_twice"
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(postgres_server.provision, [name] * 4))

        with psycopg.connect(postgres_server.url(name, "app_tenant")) as serving:
            assert serving.execute("SELECT current_user").fetchone() == ("app_tenant",)
    finally:
        with psycopg.connect(postgres_server.admin_url, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
