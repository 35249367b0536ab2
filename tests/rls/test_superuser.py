"""Roles and the superuser part: they can be run again, and stop at a role that is stronger than they made it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

ROLES_SQL, SUPERUSER_SQL = (
    Path("migrations_sql", name).read_text() for name in ("0000_roles.sql", "0001_superuser.sql")
)


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
