"""`manage.py rls`: writes what a model lacks, audits the isolation of the live database, and explains it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError, connections

from rls import audit
from rls.audit import Level, matrix, reports
from rls.router import OWNER_ALIAS
from rls.schema import grant_files, scaffold

# 1 is what the audit says of findings.
COULD_NOT_LOOK = 2


class Command(BaseCommand):
    help = "Writes what a model lacks to be isolated; audits and explains the isolation of the live database."
    requires_system_checks = ()  # `new` writes what the checks ask for

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        audits = commands.add_parser("audit", help="compare the live catalog with what the SQL files write")
        audits.add_argument("--format", choices=sorted(reports.FORMATS), default="text")
        audits.add_argument(
            "--fail-on",
            choices=[level.value for level in Level],
            default=Level.WARNING.value,
            help="the least level that makes the exit status 1; with `error`, warnings are printed and pass. "
            "2: the audit could not look",
        )
        new = commands.add_parser("new", help="write the SQL files and migrations that a model, or every one, lacks")
        which = new.add_mutually_exclusive_group(required=True)
        which.add_argument("model", nargs="?", help="app_label.Model")
        which.add_argument("--all", action="store_true", help="every model, and what migrations take away")
        grant = commands.add_parser(
            "grant", help="write the SQL file and the migration that let a shared table be used"
        )
        grant.add_argument("models", nargs="*", help="app_label.Model ...")
        grant.add_argument("--all", action="store_true", help="whatever shared models and caches lack")
        grant.add_argument("--tenants-read", action="store_true", help="app_tenant may read the tables of these models")
        commands.add_parser("matrix", help="what each role reaches in each table")
        explains = commands.add_parser("explain", help="who can reach a model's rows, and the policies that decide")
        explains.add_argument("model", help="app_label.Model")
        explains.add_argument("--role", help="only this role: app_tenant, ...")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        getattr(self, f"_{command}")(**options)

    def _audit(self, *, format: str, fail_on: str, **options: Any) -> None:
        with looking("audit"):
            findings = audit.run(auditor_alias())
        report = reports.FORMATS[format](findings)
        if report:
            self.stdout.write(report)
        counted = [each for each in findings if each.level is Level.ERROR or fail_on == Level.WARNING]
        if counted:
            errors, warnings = (reports.count(findings, level) for level in Level)
            raise CommandError(f"audit: red, {errors} error(s), {warnings} warning(s)")
        if format == "text":
            self.stdout.write(self.style.SUCCESS("audit: green"))

    def _new(self, *, model: str | None, **options: Any) -> None:
        paths = scaffold.new(model) if model else scaffold.new_all()
        for path in paths:
            self.stdout.write(f"wrote {os.path.relpath(path)}")
        if not paths:
            self.stdout.write("no model lacks anything")

    def _grant(self, *, models: list[str], all: bool, tenants_read: bool, **options: Any) -> None:
        if bool(models) == all or (all and tenants_read):
            raise CommandError("name the models, app_label.Model ..., or use --all alone")
        paths = grant_files.grant(models, tenants_read=tenants_read)
        for path in paths:
            self.stdout.write(f"wrote {os.path.relpath(path)}")
        if not paths:
            self.stdout.write("no shared model lacks a right")

    def _matrix(self, **options: Any) -> None:
        with looking("matrix"):
            cells = matrix.read(auditor_alias())
        self.stdout.write(matrix.as_table(cells))

    def _explain(self, *, model: str, role: str | None, **options: Any) -> None:
        alias = auditor_alias()
        with looking("explain"):
            try:
                table = matrix.relation(alias, apps.get_model(model))
            except (LookupError, ValueError) as error:
                raise CommandError(f"{model} is not a model: name it as app_label.Model") from error
            if table is None:
                raise CommandError(f"{model} has no table yet; manage.py migrate makes it")
            if role not in (None, *(cell.role for cell in matrix.read(alias))):
                raise CommandError(f"{role} is not a role of the project: app_tenant, app_platform, ...")
            self.stdout.write(matrix.explain(alias, table, role))


@contextmanager
def looking(command: str) -> Iterator[None]:
    """Within the block a catalog that can't be read is a sentence, and exit status COULD_NOT_LOOK."""
    try:
        yield
    except (OperationalError, ImproperlyConfigured) as error:
        raise CommandError(
            f"{command}: not run, the database does not answer: {error}\n"
            "check AUDITOR_DATABASE_URL, or the connection `auditor` or `owner` in DATABASES",
            returncode=COULD_NOT_LOOK,
        ) from error
    except ProgrammingError as error:
        raise CommandError(
            f"{command}: not run: {error}\n"
            "run manage.py migrate; where that has run, run rls/sql/audit/catalog.sql as app_owner",
            returncode=COULD_NOT_LOOK,
        ) from error


def auditor_alias() -> str:
    """The connection that reads the catalog: `auditor` where it is set up, else `owner`."""
    for alias in ("auditor", OWNER_ALIAS):
        if alias in connections:
            return alias
    raise CommandError(
        "the audit reads the catalog as app_auditor: set AUDITOR_DATABASE_URL", returncode=COULD_NOT_LOOK
    )
