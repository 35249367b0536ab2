"""Make a database that a project under row-level security can live in. For development and tests.

In production a DBA runs `rls/sql/0000_roles.sql` and `0001_superuser.sql` with psql and sets the passwords.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import psycopg
from psycopg import errors, sql

from rls.files import SQL_DIRECTORY

FILES = (SQL_DIRECTORY / "0000_roles.sql", SQL_DIRECTORY / "0001_superuser.sql")


def provision(admin_url: str, *, database: str, passwords: Mapping[str, str]) -> None:
    """Create `database` where it is missing, make the roles, run the superuser part in it, and set passwords.

    Args:
        admin_url: a superuser's connection URL, to any database of the cluster.
        passwords: password by role name. They reach the server as SCRAM verifiers only, so no log holds them.
    """
    # That it is there is known best by trying: two first commands of a newcomer may run side by side.
    taken = suppress(errors.DuplicateDatabase, errors.UniqueViolation)
    with psycopg.connect(admin_url, autocommit=True) as admin, taken:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    with psycopg.connect(admin_url, dbname=database) as admin:
        # Roles are the cluster's: whoever changes them takes turns.
        admin.execute("LOCK TABLE pg_authid IN EXCLUSIVE MODE")
        for file in FILES:
            admin.execute(file.read_bytes())
        for role, password in passwords.items():
            verifier = admin.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
            admin.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)),
            )
