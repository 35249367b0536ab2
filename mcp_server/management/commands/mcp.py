"""`manage.py mcp stdio --tenant test1`: a tenant's door over stdin and stdout. `manage.py mcp reference`: its page."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation

from core import principals
from mcp_server import reference, server
from mcp_server.registry import Door
from mcp_server.tenancy import serving_stdio


class Command(BaseCommand):
    help = "Serves MCP over stdio, for a client that starts its servers itself; prints what the doors offer."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        stdio = commands.add_parser("stdio", help="serve one tenant; whoever starts it acts for that tenant")
        stdio.add_argument("--tenant", required=True, help="the subdomain")

        commands.add_parser("reference", help="print what the doors offer, as Markdown")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        getattr(self, command)(**options)

    def reference(self, **options: Any) -> None:
        with translation.override("en"):
            self.stdout.write(reference.page(), ending="")

    def stdio(self, tenant: str, **options: Any) -> None:
        if principals.open_door(tenant) is None:
            raise CommandError(f"there is no active tenant {tenant!r}; `manage.py tenants list` shows all")
        try:
            served = server.build(Door.TENANT)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        with serving_stdio(tenant):
            served.run("stdio")
