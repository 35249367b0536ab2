"""`manage.py mcp stdio --tenant acme` serves one over stdin and stdout; `manage.py mcp reference` prints a page."""

from __future__ import annotations

import sys
from typing import Any

import anyio
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils import translation

from mcp_server import reference, server, stdio
from mcp_server.declare.tools import Endpoint
from mcp_server.http.context import serving_stdio
from mcp_server.tokens import resolver
from rls.backends.postgresql.lasting import keep_pulses


class Command(BaseCommand):
    help = "Serves MCP over stdio, for a client that starts its servers itself; prints what the endpoints offer."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        stdio = commands.add_parser("stdio", help="serve one tenant; whoever starts it acts for that tenant")
        stdio.add_argument("--tenant", required=True, help="the subdomain")

        commands.add_parser("reference", help="print what the endpoints offer, as Markdown")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        getattr(self, command)(**options)

    def reference(self, **options: Any) -> None:
        with translation.override("en"):
            self.stdout.write(reference.page(), ending="")

    def stdio(self, tenant: str, **options: Any) -> None:
        with stdio.ended_by_signals():
            try:
                found = resolver.open_endpoint(tenant)
                served = server.build(Endpoint.TENANT)
            except OperationalError as error:
                raise CommandError("the database does not answer; try again when it does") from error
            except ImproperlyConfigured as error:
                raise CommandError(str(error)) from error
            if found is None:
                raise CommandError(f"there is no active tenant {tenant!r}; `manage.py tenants list` shows all")
            keep_pulses()
            with serving_stdio(tenant):
                ended_by = anyio.run(stdio.serve, served)
        if ended_by is not None:
            sys.exit(128 + ended_by)
