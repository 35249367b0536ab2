"""The audit: what the live catalog says, against what the SQL files write.

A rule is one file of `rls/sql/audit/`: a SELECT whose rows are findings, under a header that says its number,
slug and level, the problem and the fix. psql runs the same files (`migrations_sql/audit.sql`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from django.db import connections, transaction

from rls.files import LIBRARY

HEADER = re.compile(
    r"-- (?P<number>\d{4}) (?P<slug>[a-z-]+) \((?P<level>error|warning)\)\n"
    r"-- Problem: (?P<problem>.+\n(?:-- (?!Fix: ).+\n)*)"
    r"-- Fix: (?P<fix>.+\n(?:-- .+\n)*)"
)

# Nothing in another schema may stand for PostgreSQL's own functions and operators while the rules run.
SEARCH_PATH = "pg_catalog, pg_temp"

REMOVE_SQL = """
DROP VIEW IF EXISTS app.isolation_findings;
DROP FUNCTION IF EXISTS app.find_weaknesses();
DROP VIEW IF EXISTS app.table_grants, app.expected_policies, app.tenanted_tables, app.roles;
DROP FUNCTION IF EXISTS app.is_declared(text, text);
"""

INSTALL_SQL = """
CREATE OR REPLACE FUNCTION app.find_weaknesses()
    RETURNS TABLE (rule text, level text, object text, finding text, mend text)
    LANGUAGE sql STABLE
    SET search_path = {path}
    SET jit = off
AS $audit$
{rules}
$audit$;
COMMENT ON FUNCTION app.find_weaknesses() IS 'The rules of rls/sql/audit, as they were when this was installed.';
CREATE OR REPLACE VIEW app.isolation_findings AS SELECT * FROM app.find_weaknesses();
COMMENT ON VIEW app.isolation_findings IS 'Empty where isolation is as it was built; otherwise what is weaker, on \
which object, and the SQL that mends it.';
GRANT EXECUTE ON FUNCTION app.find_weaknesses() TO app_auditor;
GRANT SELECT ON app.isolation_findings TO app_auditor;
"""


class Level(StrEnum):
    """`ERROR`: a row can cross tenants, or a guard of that is gone. `WARNING`: a second guard is, or speed."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """One file of the audit."""

    number: str
    slug: str
    level: Level
    problem: str
    fix: str
    query: str

    @property
    def uri(self) -> str:
        """The rule's file, from the root of the repository."""
        return f"rls/sql/audit/{self.number}_{self.slug.replace('-', '_')}.sql"


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which isolation is weaker than it was built; `mend` is the SQL that restores it."""

    rule: str
    level: Level
    object: str
    finding: str
    mend: str


@cache
def rules() -> Sequence[Rule]:
    """Every rule, by number. Raises ValueError where a file has no proper header."""
    return [_parse(path.name, path.read_text(encoding="utf-8")) for path in sorted(LIBRARY.glob("audit/[0-9]*.sql"))]


def run(alias: str) -> list[Finding]:
    """Every finding in the database behind `alias`: errors first, then by rule and object.

    It runs the files and not the view that was installed from them, which somebody may have replaced.
    The role needs what `app_auditor` has.
    """
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(f"SET LOCAL search_path = {SEARCH_PATH}")
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(f"{_union()}\nORDER BY level, rule, object, finding")
        return [Finding(rule, Level(level), *rest) for rule, level, *rest in cursor.fetchall()]


def install_sql() -> str:
    """The statements that make `app.isolation_findings` anew, for whoever has psql and none of the files."""
    catalog = (LIBRARY / "audit" / "catalog.sql").read_text(encoding="utf-8")
    return catalog + INSTALL_SQL.format(path=SEARCH_PATH, rules=_union())


def _union() -> str:
    queries = [f"(\n{rule.query}\n)" for rule in rules()]
    return "\nUNION ALL\n".join(queries)


def _parse(name: str, text: str) -> Rule:
    header = HEADER.match(text)
    if header is None:
        raise ValueError(
            f'{name} has no header of a rule; begin it with "-- 0001 slug (error)", "-- Problem: ...", "-- Fix: ..."'
        )
    # What follows the statement is for psql: the count of its rows.
    query, _, _ = text[header.end() :].rpartition(";")
    return Rule(
        header["number"],
        header["slug"],
        Level(header["level"]),
        _prose(header["problem"]),
        _prose(header["fix"]),
        query.strip(),
    )


def _prose(comment: str) -> str:
    return " ".join(line.removeprefix("-- ") for line in comment.splitlines())
