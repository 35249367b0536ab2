"""Proves once per process, before anything is served, that the guards of the cursor are in force.

They rest on `_execute_send`, a private method of psycopg that every statement passes through. If a release of psycopg
renamed it, our override would never be called and nothing else would notice.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import NotSupportedError
from psycopg import Connection
from psycopg.errors import SyntaxError as StatementRefused

_is_proved = False


def prove(connection: Connection[Any]) -> None:
    """Raise ImproperlyConfigured unless PostgreSQL refuses two statements in one text, also in executemany()."""
    global _is_proved  # noqa: PLW0603  (what it remembers is the process's)
    if not _is_proved:
        if not (_refuses_two_statements(connection) and _judges_what_is_bound(connection)):
            raise ImproperlyConfigured(
                "refusing to serve: this release of psycopg does not pass its statements through the guards of "
                "rls.backends.postgresql; install one that rls was tested with"
            )
        _is_proved = True


def _refuses_two_statements(connection: Connection[Any]) -> bool:
    try:
        connection.cursor().execute("SELECT 1; SELECT 2")
    except StatementRefused:
        return True
    finally:
        _end(connection)
    return False


def _judges_what_is_bound(connection: Connection[Any]) -> bool:
    try:
        connection.cursor().executemany("/* %s */ SELECT 1", [["*/ SHOW server_version --"]])
    except NotSupportedError as error:
        return "statements on rows" in str(error)
    finally:
        _end(connection)
    return False


def _end(connection: Connection[Any]) -> None:
    if not connection.autocommit:
        connection.rollback()
