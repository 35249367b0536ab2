"""Statements that stand still where a test wants them to, and what the server is seen to wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg.pq import TransactionStatus

from mcp_server.http.kept import PRINCIPAL_LIFETIME

# A commit that waits for a lock: the trigger is deferred to it.
HOLD = """
CREATE FUNCTION public.hold_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = 0 AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared(4711);
    RETURN NULL;
END $$;
GRANT EXECUTE ON FUNCTION public.hold_commit() TO PUBLIC;
CREATE CONSTRAINT TRIGGER hold_commit AFTER UPDATE ON core_product
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.hold_commit();
"""
RELEASE = "DROP TRIGGER hold_commit ON core_product; DROP FUNCTION public.hold_commit();"

# For what comes sooner or later; a test that waits so long has failed.
LONG = 60.0

IN_COMMIT = "query = 'COMMIT' AND wait_event = 'advisory'"
ON_A_ROW = "wait_event_type = 'Lock' AND query LIKE '%%FOR UPDATE%%'"
ASLEEP = "wait_event = 'PgSleep'"


class Commits:
    """Commits of changes of products, which are held."""

    def __init__(self, admin: psycopg.Connection) -> None:
        self._admin = admin

    def release(self) -> None:
        self._admin.execute("SELECT pg_advisory_unlock_all()")


@contextmanager
def commits_held(admin: psycopg.Connection) -> Iterator[Commits]:
    """Within the block, a commit that changes a product waits until it is released."""
    admin.execute(HOLD)
    admin.execute("SELECT pg_advisory_lock(4711)")
    try:
        yield Commits(admin)
    finally:
        admin.execute("SELECT pg_advisory_unlock_all()")
        admin.execute(RELEASE)


@contextmanager
def products_locked(admin: psycopg.Connection) -> Iterator[None]:
    """Within the block, whoever wants to change a product waits."""
    with admin.transaction():
        admin.execute("SELECT FROM core_product FOR UPDATE")
        yield


def sessions(admin: psycopg.Connection, name: str, condition: str = "true") -> list[int]:
    """The process ids of the application's sessions of which the condition (SQL on pg_stat_activity) holds."""
    statement = f"SELECT pid FROM pg_stat_activity WHERE application_name = %s AND {condition}"
    with _looking(admin) as connection:
        return [pid for (pid,) in connection.execute(statement, [name])]  # type: ignore[arg-type]


@contextmanager
def _looking(admin: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A connection that sees what goes on now: in a transaction, pg_stat_activity stays as it was seen first."""
    if admin.info.transaction_status == TransactionStatus.IDLE:
        yield admin
    else:
        with psycopg.connect(admin.info.dsn, password=admin.info.password, autocommit=True) as other:
            yield other


def end_sessions(admin: psycopg.Connection, name: str, condition: str = "true") -> None:
    """End them, as a restart does."""
    for pid in sessions(admin, name, condition):
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def until_principals_are_forgotten() -> None:
    """Return when no server knows any more who called before: each looks every caller up again."""
    began = time.monotonic()
    until(lambda: time.monotonic() - began > PRINCIPAL_LIFETIME)
