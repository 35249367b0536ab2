"""`manage.py tenants create|list|suspend|resume|delete`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from core.services import tenants
from mcp_server.management.platform import add_reason, working
from rls.context import PLATFORM_ALIAS


class Command(BaseCommand):
    help = "Manages tenants. Each call leaves an audit row."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        add_reason(commands.add_parser("list", help="show every tenant"))
        create = commands.add_parser("create", help="add an active tenant")
        create.add_argument("subdomain", help="its name in URLs: a DNS label")
        create.add_argument("name", help="its name for people")
        create.add_argument("--locale", default="zh-hant", choices=[code for code, _ in settings.LANGUAGES])
        add_reason(create)
        for name, explained in (
            ("suspend", "refuse its requests at every endpoint, at once"),
            ("resume", "serve its requests again"),
            ("delete", "delete it with every row it has"),
        ):
            command = commands.add_parser(name, help=explained)
            command.add_argument("subdomain")
            add_reason(command)
            if name == "delete":
                command.add_argument("--yes", action="store_true", help="really: there is no way back")

    def handle(self, *args: Any, command: str, reason: str, **options: Any) -> None:
        with working(f"tenants {command}", reason):
            refusal = getattr(self, command)(**options)
        if refusal:  # after the context, whose audit row stays
            raise CommandError(refusal)

    def list(self, **options: Any) -> None:
        for facts in tenants.find():
            state = "active" if facts.is_active else "suspended"
            self.stdout.write(f"{facts.subdomain}\t{facts.name}\t{state}\t{facts.user_count} users\t{facts.id}")

    def create(self, subdomain: str, name: str, locale: str, **options: Any) -> None:
        tenant = tenants.create(subdomain=subdomain, name=name, locale=locale)
        self.stdout.write(f"created {tenant.subdomain} {tenant.id}")

    def suspend(self, subdomain: str, **options: Any) -> None:
        tenants.set_active(subdomain, active=False)
        self.stdout.write(f"suspended {subdomain}")

    def resume(self, subdomain: str, **options: Any) -> None:
        tenants.set_active(subdomain, active=True)
        self.stdout.write(f"resumed {subdomain}")

    def delete(self, subdomain: str, yes: bool, **options: Any) -> str | None:
        with transaction.atomic(using=PLATFORM_ALIAS):
            counts = tenants.delete(subdomain)
            transaction.set_rollback(not yes, using=PLATFORM_ALIAS)
        if not yes:
            return f"this would delete {_listed(counts)}; nothing was deleted. Say --yes to do it."
        self.stdout.write(f"deleted {subdomain}: {_listed(counts)}")
        return None


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {label}" for label, count in sorted(counts.items()) if count)
