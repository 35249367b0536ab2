"""`manage.py tokens create|list|revoke`."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from core.management.platform import add_reason, working
from core.models import ApiToken, PlatformToken
from core.scopes import Scope
from core.services import tokens


class Command(BaseCommand):
    help = "Manages tokens. A token is shown once, when it is created; only its digest is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        create = commands.add_parser("create", help="mint a token and print it")
        door = create.add_mutually_exclusive_group(required=True)
        door.add_argument("--tenant", help="the subdomain of the tenant that it acts for")
        door.add_argument("--platform", action="store_true", help="it works across tenants, at /mcp/")
        create.add_argument("--name", required=True, help="who or what uses it")
        create.add_argument("--user", help="the tenant's user that it acts as; not with --platform")
        create.add_argument("--days", type=_days, help="it expires after so many days (default: never)")
        create.add_argument(
            "--scope",
            action="append",
            choices=[scope.value for scope in Scope],
            help="again for more (default: all)",
        )
        add_reason(create)
        add_reason(commands.add_parser("list", help="show every token; none can be used from it"))
        revoke = commands.add_parser("revoke", help="end a token now")
        revoke.add_argument("id", type=UUID)
        add_reason(revoke)

    def handle(self, *args: Any, command: str, reason: str, **options: Any) -> None:
        with working(f"tokens {command}", reason):
            getattr(self, command)(**options)

    def create(
        self,
        *,
        tenant: str | None,
        name: str,
        user: str | None,
        days: int | None,
        scope: list[str] | None,
        **options: Any,
    ) -> None:
        token = tokens.create(
            name=name,
            subdomain=tenant,
            scopes=[Scope(value) for value in scope] if scope else tuple(Scope),
            username=user,
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        self.stdout.write(token)

    def list(self, **options: Any) -> None:
        for token in tokens.find():
            door = token.tenant.subdomain if isinstance(token, ApiToken) else "(platform)"
            self.stdout.write(f"{token.id}\t{door}\t{token.name}\t{_state(token)}\t{','.join(token.scopes)}")

    def revoke(self, *, id: UUID, **options: Any) -> None:
        tokens.revoke(id)
        self.stdout.write(f"revoked {id}")


def _days(text: str) -> int:
    days = int(text)
    if days < 1:
        raise ArgumentTypeError("a token is valid for at least 1 day; without --days it does not expire")
    return days


def _state(token: ApiToken | PlatformToken) -> str:
    if token.revoked_at:
        return f"revoked {token.revoked_at:%Y-%m-%d}"
    if token.expires_at and token.expires_at <= timezone.now():
        return f"expired {token.expires_at:%Y-%m-%d}"
    return "valid"
