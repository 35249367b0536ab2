"""The audit compares the live catalog with what the SQL files make.

A rule is one file of `rls/sql/audit/`: a header with its number, slug, level, problem and fix, and a SELECT that
returns one row per finding. psql runs the same files (`rls/sql/audit.sql`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from django.db import connections, transaction

from rls.files import SQL_DIRECTORY

HEADER_PATTERN = re.compile(
    r"-- (?P<number>\d{4}) (?P<slug>[a-z-]+) \((?P<level>error|warning)\)\n"
    r"-- Problem: (?P<problem>.+\n(?:-- (?!Fix: ).+\n)*)"
    r"-- Fix: (?P<fix>.+\n(?:-- .+\n)*)"
)

# A function or operator in another schema must not be found before PostgreSQL's own while the rules run.
SEARCH_PATH = "pg_catalog, pg_temp"

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
    """`ERROR`: a row can cross tenants, or what prevents it is gone. `WARNING`: a second guard, or speed, is gone."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """One file of the audit: `problem` and `fix` are sentences of its header, `query` is its SELECT without `;`."""

    number: str
    slug: str
    level: Level
    problem: str
    fix: str
    query: str

    @property
    def uri(self) -> str:
        """The path of the rule's file, relative to the root of the repository."""
        return f"rls/sql/audit/{self.number}_{self.slug.replace('-', '_')}.sql"


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which isolation is weaker than the SQL files make it.

    `rule` is the rule's slug, `object` a name as PostgreSQL prints it, `mend` the SQL or the psql command that
    restores it.
    """

    rule: str
    level: Level
    object: str
    finding: str
    mend: str


@cache
def rules() -> Sequence[Rule]:
    """Every rule, in the order of their numbers. Raises ValueError where a file has no proper header."""
    paths = sorted(SQL_DIRECTORY.glob("audit/[0-9]*.sql"))
    return [_parse(path.name, path.read_text(encoding="utf-8")) for path in paths]


def run(alias: str) -> list[Finding]:
    """Run every rule in the database of `alias`. Returns its findings: errors first, then by rule and object.

    It runs the files, and not the view that was installed from them: somebody may have replaced the view. The role of
    `alias` needs the privileges of `app_auditor`.

    Raises django.db.ProgrammingError where the role lacks them, or the views of `audit/catalog.sql` are missing.
    """
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(f"SET LOCAL search_path = {SEARCH_PATH}")
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(f"{_union()}\nORDER BY level, rule, object, finding")
        return [Finding(rule, Level(level), *rest) for rule, level, *rest in cursor.fetchall()]


def install_sql() -> str:
    """The SQL text that creates or replaces `app.isolation_findings`, for auditors who have psql but not the files."""
    catalog = (SQL_DIRECTORY / "audit" / "catalog.sql").read_text(encoding="utf-8")
    return catalog + INSTALL_SQL.format(path=SEARCH_PATH, rules=_union())


def _union() -> str:
    queries = [f"(\n{rule.query}\n)" for rule in rules()]
    return "\nUNION ALL\n".join(queries)


def _parse(name: str, text: str) -> Rule:
    header = HEADER_PATTERN.match(text)
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
