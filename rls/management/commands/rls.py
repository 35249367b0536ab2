"""`manage.py rls audit`: is isolation as it was built?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from rls import audit
from rls.router import OWNER_ALIAS


class Command(BaseCommand):
    help = "Audits the isolation of the live database. Exit status 1 where it is weaker than it was built."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("audit", help="compare the live catalog with what the SQL files write")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        alias = next((each for each in ("auditor", OWNER_ALIAS) if each in connections), None)
        if alias is None:
            raise CommandError("the audit reads the catalog as app_auditor: set AUDITOR_DATABASE_URL")
        findings = audit.run(alias)
        for finding in findings:
            self.stdout.write(f"{finding.rule}  {finding.object}: {finding.finding}\n    {finding.mend}")
        if findings:
            raise CommandError(f"audit: red, {len(findings)} finding(s)")
        self.stdout.write(self.style.SUCCESS("audit: green"))
