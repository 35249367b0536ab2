"""The audit: what the live catalog says, against what the SQL files write."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connections


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which isolation is weaker than it was built; `mend` is the SQL that restores it."""

    rule: str
    object: str
    finding: str
    mend: str


def run(alias: str) -> list[Finding]:
    """Every finding of the database behind `alias`, by rule and object. The role needs SELECT on the view."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT rule, object, finding, mend FROM app.isolation_findings ORDER BY rule, object")
        return [Finding(*row) for row in cursor.fetchall()]
