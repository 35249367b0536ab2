"""`manage.py tokens create|list|revoke`."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from mcp_server.management.platform import add_reason, working
from mcp_server.tokens import members, tokens
from mcp_server.tokens.models import ApiToken, PlatformToken

# A token that is lost or forgotten ends by itself.
DEFAULT_DAYS = 90


class Command(BaseCommand):
    help = "Manages tokens. A token is shown once, when it is created; only its digest is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        create = commands.add_parser("create", help="mint a token and print it")
        endpoint = create.add_mutually_exclusive_group(required=True)
        endpoint.add_argument("--tenant", help="the tenant that it acts for: the name in its URL")
        endpoint.add_argument("--platform", action="store_true", help="it works across tenants")
        create.add_argument(
            "--user",
            help="the member of the tenant for whom it acts, by the name with which he signs in; it ends with him",
        )
        create.add_argument("--name", required=True, help="who or what uses it")
        end = create.add_mutually_exclusive_group()
        end.add_argument(
            "--days", type=_days, default=DEFAULT_DAYS, help=f"it expires after so many days (default: {DEFAULT_DAYS})"
        )
        end.add_argument("--never-expires", action="store_true", help="it is good until it is revoked")
        create.add_argument(
            "--scope",
            action="append",
            choices=_scopes(),
            help="again for more (default: those of the tools that are named; without any, all but those that a server "
            "gives on request)",
        )
        create.add_argument("--tool", action="append", help="this tool alone; again for more")
        create.add_argument("--read-only", action="store_true", help="no tool that changes something")
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
        user: str | None,
        name: str,
        days: int,
        never_expires: bool,
        scope: list[str] | None,
        tool: list[str] | None,
        read_only: bool,
        **options: Any,
    ) -> None:
        token = tokens.create(
            name=name,
            slug=tenant,
            user=user,
            scopes=scope,
            tools=tool,
            is_read_only=read_only,
            expires_at=None if never_expires else timezone.now() + timedelta(days=days),
        )
        self.stdout.write(token)

    def list(self, **options: Any) -> None:
        found = tokens.find()
        persons = members.names(token.member for token in found if isinstance(token, ApiToken) and token.member)
        for token in found:
            owner = token.tenant if isinstance(token, ApiToken) else "(platform)"
            facts = [str(token.id), str(owner), token.name, _state(token), ",".join(token.scopes), *_limits(token)]
            if isinstance(token, ApiToken) and token.member:
                facts.append(f"for {persons[token.member]}" if token.member in persons else "for nobody any more")
            self.stdout.write("\t".join(facts))

    def revoke(self, *, id: UUID, **options: Any) -> None:
        tokens.revoke(id)
        self.stdout.write(f"revoked {id}")


def _scopes() -> list[str] | None:
    """Those that a token may have; None where no server says which."""
    try:
        return sorted(tokens.every_scope())
    except tokens.ServerNotFound:
        return None


def _days(text: str) -> int:
    days = int(text)
    if days < 1:
        raise ArgumentTypeError("a token is valid for at least 1 day; with --never-expires it does not expire")
    return days


def _state(token: ApiToken | PlatformToken) -> str:
    if token.revoked_at:
        return f"revoked {token.revoked_at:%Y-%m-%d}"
    if token.expires_at and token.expires_at <= timezone.now():
        return f"expired {token.expires_at:%Y-%m-%d}"
    return f"valid until {token.expires_at:%Y-%m-%d}" if token.expires_at else "valid"


def _limits(token: ApiToken | PlatformToken) -> list[str]:
    """What a token may not do although its scopes allow it."""
    read_only = ["reads only"] if token.is_read_only else []
    return [*read_only, *([f"tools: {','.join(token.tools)}"] if token.tools is not None else [])]
