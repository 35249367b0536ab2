"""`manage.py mcp stdio --tenant acme` serves one over stdin and stdout; `manage.py mcp reference` prints a page."""

from __future__ import annotations

import functools
import sys
from typing import Any

import anyio
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils import translation

from mcp_server import reference, server, stdio
from mcp_server.app import MCP, NO_SERVER_TEXT, mounted
from mcp_server.declare.tools import Endpoint
from mcp_server.http.context import serving_stdio
from mcp_server.ledger import buffer
from mcp_server.tokens import resolver
from rls.backends.postgresql.lasting import keep_pulses


class Command(BaseCommand):
    help = "Serves MCP over stdio, for a client that starts its servers itself; prints what a server offers."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        stdio = commands.add_parser("stdio", help="serve one tenant; whoever starts it acts for that tenant")
        stdio.add_argument("--tenant", required=True, help="the name in its URL")
        reference = commands.add_parser("reference", help="print what a server offers, as Markdown")
        for each in (stdio, reference):
            each.add_argument("--server", default="", help="the name of the server, where the project has several")

    def handle(self, *args: Any, command: str, server: str, **options: Any) -> None:
        getattr(self, command)(chosen(server), **options)

    def reference(self, mcp: MCP, **options: Any) -> None:
        with translation.override("en"):
            self.stdout.write(reference.page(mcp), ending="")

    def stdio(self, mcp: MCP, tenant: str, **options: Any) -> None:
        with stdio.ended_by_signals():
            try:
                find = functools.partial(resolver.open_endpoint, tenant, scopes=mcp.scopes())
                found = find()
                served = server.build(mcp, Endpoint.TENANT)
            except OperationalError as error:
                raise CommandError("the database does not answer; try again when it does") from error
            except ImproperlyConfigured as error:
                raise CommandError(str(error)) from error
            if found is None:
                raise CommandError(f"there is no active tenant {tenant!r}")
            keep_pulses()
            with serving_stdio(find):
                ended_by = anyio.run(stdio.serve, served)
            buffer.flush()
        if ended_by is not None:
            sys.exit(128 + ended_by)


def chosen(name: str) -> MCP:
    """The project's server of this name; where it is '', the only one. Raises CommandError."""
    servers = {each.name: each for each in mounted()}
    if not servers:
        raise CommandError(NO_SERVER_TEXT)
    if (not name and len(servers) > 1) or (name and name not in servers):
        raise CommandError(f"choose one of the servers with --server: {', '.join(servers)}")
    return servers[name] if name else next(iter(servers.values()))
