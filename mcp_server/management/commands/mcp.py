"""`manage.py mcp stdio --tenant test1`: the tools of a tenant over stdin and stdout."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import principals
from mcp_server import server
from mcp_server.registry import Door
from mcp_server.tenancy import serving_stdio


class Command(BaseCommand):
    help = "Serves MCP over stdio, for a client that starts its servers itself."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        stdio = commands.add_parser("stdio", help="serve one tenant; whoever starts it acts for that tenant")
        stdio.add_argument("--tenant", required=True, help="the subdomain")

    def handle(self, *args: Any, tenant: str, **options: Any) -> None:
        if principals.open_door(tenant) is None:
            raise CommandError(f"there is no active tenant {tenant!r}; `manage.py tenants list` shows all")
        with serving_stdio(tenant):
            server.build(Door.TENANT).run("stdio")
