"""Why row-level security refused a row: which commands the policies of its table cover for a role.

PostgreSQL says the same for a row that no policy accepts and for a table that has no policy to accept one. Which it was
stands in the catalog, and not in the error; and the transaction that was refused can't be asked any more. So the
catalog is read on a connection of its own, for `ANSWER_TIMEOUT` seconds at most: a pooler may have none to give.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings

from rls.schema.policies import asks_for_the_tenant

ANSWER_TIMEOUT = 2  # seconds

COMMAND_NAMES = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}

# Each table of the name, with the permissive policies that apply to the role (PostgreSQL, rowsecurity.c).
POLICIES_SQL = """
SELECT c.oid, p.polcmd, pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid)
FROM pg_class AS c
LEFT JOIN pg_policy AS p
    ON p.polrelid = c.oid
    AND p.polpermissive
    AND EXISTS (SELECT FROM unnest(p.polroles) AS r WHERE r = 0 OR pg_has_role(current_user, r, 'USAGE'))
WHERE c.relname = %s AND c.relrowsecurity AND c.relkind IN ('r', 'p')
"""

# One at a time in a process: they count in the role's limit of connections, beside those that serve.
_turn = threading.Lock()


def uncovered(wrapper: Any, table: str) -> list[str] | None:
    """The commands for which the role of Django's `wrapper` has no policy on `table` that accepts its tenant's rows.

    None where that can't be learnt: nobody answers in time, no table has the name, or several that differ do.
    """
    params = wrapper.get_connection_params() | {
        "cursor_factory": psycopg.ClientCursor,
        "connect_timeout": ANSWER_TIMEOUT,
    }
    answers: list[list[str]] = []

    def ask() -> None:
        try:
            # In a transaction: behind a pooler nothing may be left on the server's connection.
            with _turn, psycopg.connect(**params, autocommit=True) as connection, connection.transaction():
                connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
                answers.extend(_judge(connection.execute(POLICIES_SQL, [table]).fetchall()))
        except psycopg.Error:
            answers.clear()

    # Only a thread can be left behind: the wait for a pooler knows no timeout.
    asking = threading.Thread(target=ask, name="rls-refusal", daemon=True)
    asking.start()
    asking.join(ANSWER_TIMEOUT)
    return answers[0] if answers and all(answer == answers[0] for answer in answers) else None


def _judge(rows: Iterable[tuple[Any, ...]]) -> list[list[str]]:
    """For each table the commands without such a policy."""
    policies: dict[int, list[tuple[str, str | None, str | None]]] = {}
    for oid, command, using, check in rows:
        policies.setdefault(oid, []).append((_text(command), using, check))
    return [
        [name for letter, name in COMMAND_NAMES.items() if not any(_covers(policy, letter) for policy in found)]
        for found in policies.values()
    ]


def _covers(policy: tuple[str, str | None, str | None], letter: str) -> bool:
    command, *expressions = policy
    columns = "tenant_id", apps.get_model(settings.RLS_TENANT_MODEL)._meta.pk.column
    predicates = [each for each in expressions if each is not None]
    return (
        command in ("*", letter)
        and bool(predicates)
        and all(asks_for_the_tenant(each, *columns) for each in predicates)
    )


def _text(command: Any) -> str:
    """PostgreSQL's "char" as psycopg reads it."""
    return command.decode() if isinstance(command, bytes) else str(command)
