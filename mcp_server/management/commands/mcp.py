"""`manage.py mcp`: what a server offers, a call of one of its tools, how clients connect, and a server over stdio."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import sys
from collections import Counter
from typing import Any

import anyio
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils import timezone, translation
from mcp_types import CallToolResult

from mcp_server import reference, server, stdio
from mcp_server.app import MCP, NO_SERVER_TEXT, mounted
from mcp_server.connect import addresses, clients
from mcp_server.connect.addresses import AddressInvalid
from mcp_server.connect.clients import Client, Kind
from mcp_server.connect.manifest import manifest
from mcp_server.declare.tools import Endpoint
from mcp_server.http.context import serving_stdio
from mcp_server.http.serve import CannotServe
from mcp_server.ledger import buffer
from mcp_server.management import calling, connecting, listing, trailing
from mcp_server.management.calling import not_called
from mcp_server.management.platform import add_reason, working
from mcp_server.principals import Principal
from mcp_server.tokens import resolver
from rls.backends.postgresql.lasting import keep_pulses

TOKEN_VARIABLE = "MCP_TOKEN"  # noqa: S105  (a name, and no token)
NO_CALLER_TEXT = (
    f"say who calls: put a token into the environment as {TOKEN_VARIABLE}, or pipe it in with --token-stdin, "
    "or call --as-operator with a --scope for what the tool needs"
)


class Command(BaseCommand):
    help = "Shows and calls what an MCP server offers, says how clients connect, and serves a tenant over stdio."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        self._add_list(commands.add_parser("list", help="list tools, resources and prompts, with their scopes"))
        self._add_inspect(commands.add_parser("inspect", help="show one of them: schemas, an example, what it costs"))
        self._add_call(
            commands.add_parser("call", help="call a tool in this process; 1: it was refused, 2: not called")
        )
        self._add_config(commands.add_parser("config", help="print how a client connects; no secret is in it"))
        self._add_manifest(commands.add_parser("server-json", help="print server.json, for the MCP registry"))
        stdio = commands.add_parser("stdio", help="serve one tenant; whoever starts it acts for that tenant")
        stdio.add_argument("--tenant", required=True, help="the name in its URL")
        self._add_trail(
            commands.add_parser("trail", help="print every call of a tenant as JSON lines, the oldest first")
        )
        self._add_forget(commands.add_parser("forget", help="delete what is kept of old calls, of every tenant"))
        commands.add_parser("reference", help="print what a server offers, as Markdown")
        for each in commands.choices.values():
            each.add_argument("--server", default="", help="the name of the server, where the project has several")

    def _add_list(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print it for a program")

    def _add_inspect(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="of a tool or a prompt, or the URI of a resource")

    def _add_call(self, parser: CommandParser) -> None:
        parser.add_argument("tool", help="its name")
        _add_endpoint(parser)
        parser.add_argument(
            "--arg", action="append", default=[], metavar="NAME=VALUE", help="an argument; what is no text is JSON"
        )
        parser.add_argument("--json", action="store_true", help="print the structured content")
        caller = parser.add_mutually_exclusive_group()
        caller.add_argument("--token-stdin", action="store_true", help="read the caller's token from the input")
        caller.add_argument(
            "--as-operator", action="store_true", help="call as the user of this machine, with the scopes given"
        )
        parser.add_argument("--scope", action="append", default=[], help="of the operator; again for more")
        _add_root(parser)
        add_reason(parser)

    def _add_config(self, parser: CommandParser) -> None:
        parser.add_argument("client", choices=[*Client], help="which client")
        _add_endpoint(parser)
        _add_root(parser)
        parser.add_argument("--name", default="", help="what the client calls the server (default: the tenant)")
        parser.add_argument("--only", choices=[*Kind], help="print this alone, without a word around it")
        parser.add_argument(
            "--without-token",
            action="store_true",
            help="for a client that signs in by itself (default: where the server asks for no token)",
        )

    def _add_manifest(self, parser: CommandParser) -> None:
        _add_root(parser)
        parser.add_argument("--namespace", default="", help="as io.github.acme (default: the host's name backwards)")

    def _add_trail(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="the name in its URL, or its id")
        parser.add_argument("--since", metavar="TIME", help="from this day or time on (UTC)")
        parser.add_argument("--until", metavar="TIME", help="before this day or time (UTC)")
        parser.add_argument("--actor", help="of whoever has this name alone")
        parser.add_argument("--action", help="of this tool, resource or prompt alone")
        add_reason(parser)

    def _add_forget(self, parser: CommandParser) -> None:
        age = parser.add_mutually_exclusive_group(required=True)
        age.add_argument("--before", metavar="TIME", help="what is older than this day or time (UTC)")
        age.add_argument("--older-than", metavar="DAYS", help="what is older than so many days, such as 400d")
        add_reason(parser)

    def handle(self, *args: Any, command: str, server: str, **options: Any) -> None:
        getattr(self, command.replace("-", "_"))(chosen(server), **options)

    def inspect(self, mcp: MCP, *, name: str, **options: Any) -> None:
        found = listing.inspected(mcp, name)
        if not found:
            raise CommandError(f"nothing is called {name!r}; there are {', '.join(listing.names(mcp))}")
        self.stdout.write(found)

    def call(self, mcp: MCP, *, tool: str, arg: list[str], json: bool, **options: Any) -> None:
        try:
            principal = _caller(mcp, tool, **options)
            result = asyncio.run(calling.call(mcp, principal, tool, arg))
        except OperationalError as error:
            raise not_called(f"the database does not answer: {error}") from error
        except (ImproperlyConfigured, AddressInvalid, CannotServe) as error:
            raise not_called(str(error)) from error
        finally:
            buffer.flush()
        self._answer(result, as_json=json)

    def config(
        self, mcp: MCP, *, client: str, only: str | None, name: str, without_token: bool, **options: Any
    ) -> None:
        try:
            root = addresses.root(options["root"])
        except (AddressInvalid, CannotServe) as error:
            raise CommandError(str(error)) from error
        takes_token = False if without_token else None
        told = addresses.server(mcp, root, _slug(mcp, **options), name=name, takes_token=takes_token)
        if only is None:
            self.stdout.write(connecting.told(Client(client), told))
            return
        guide = clients.guide(Client(client), told)
        snippet = guide.only(Kind(only))
        if snippet is None:
            kinds = ", ".join(each.kind for each in guide.snippets)
            raise CommandError(f"{guide.client.label} is not connected by a {only}; say --only with one of {kinds}")
        self.stdout.write(snippet.text)

    def server_json(self, mcp: MCP, *, root: str, namespace: str, **options: Any) -> None:
        try:
            with translation.override("en"):
                found = manifest(mcp, addresses.root(root), namespace=namespace)
        except (ImproperlyConfigured, AddressInvalid, CannotServe) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(found, ensure_ascii=False, indent=2))

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

    def trail(self, mcp: MCP, *, tenant: str, reason: str, **options: Any) -> None:
        wanted = {
            "created_at__gte": options["since"] and trailing.moment(options["since"]),
            "created_at__lt": options["until"] and trailing.moment(options["until"]),
            "actor": options["actor"],
            "action": options["action"],
        }
        trailing.models()
        with working("mcp trail", reason):
            filters = {name: value for name, value in wanted.items() if value is not None}
            for line in trailing.lines(trailing.tenant_id_of(tenant), **filters):
                self.stdout.write(line)

    def forget(self, mcp: MCP, *, before: str | None, older_than: str | None, reason: str, **options: Any) -> None:
        moment = trailing.moment(before) if before is not None else trailing.age(older_than or "")
        if moment > timezone.now():
            raise CommandError(f"{before} is to come: name a day or a time that has been")
        trailing.models()
        forgotten: Counter[str] = Counter()
        while True:
            # Each batch is committed, with an audit row of its own, so that whoever stops it has lost nothing.
            with working("mcp forget", reason or f"what is older than {moment.isoformat()}"):
                batch = trailing.forget(moment)
            forgotten.update(batch)
            if max(batch.values()) < trailing.BATCH_SIZE:
                break
        self.stdout.write(", ".join(f"{label}: {count}" for label, count in forgotten.items()))

    def _answer(self, result: CallToolResult, *, as_json: bool) -> None:
        if result.is_error:
            raise CommandError(calling.text(result))
        self.stdout.write(calling.structured(result) if as_json else calling.text(result))

    def list(self, mcp: MCP, *, json: bool, **options: Any) -> None:
        self.stdout.write(listing.listed_as_json(mcp) if json else listing.listed(mcp))


def chosen(name: str) -> MCP:
    """The project's server of this name; where it is '', the only one. Raises CommandError."""
    servers = {each.name: each for each in mounted()}
    if not servers:
        raise CommandError(NO_SERVER_TEXT)
    if (not name and len(servers) > 1) or (name and name not in servers):
        raise CommandError(f"choose one of the servers with --server: {', '.join(servers)}")
    return servers[name] if name else next(iter(servers.values()))


def _add_endpoint(parser: CommandParser) -> None:
    endpoint = parser.add_mutually_exclusive_group(required=True)
    endpoint.add_argument("--tenant", help="at the endpoint of a tenant: the name in its URL")
    endpoint.add_argument("--platform", action="store_true", help="at the endpoint of the platform")


def _add_root(parser: CommandParser) -> None:
    parser.add_argument(
        "--root", default="", help="where clients reach the application (default: PUBLIC_URL, or HOST and PORT)"
    )


def _slug(mcp: MCP, *, tenant: str | None, platform: bool, **options: Any) -> str:
    if platform and not mcp.has_platform:
        raise not_called(f"the server {mcp.name!r} has no endpoint of the platform; say --tenant")
    if not platform and not tenant:
        raise not_called("--tenant is empty; say the name that stands in the tenant's URL")
    return tenant or ""


def _caller(
    mcp: MCP,
    tool: str,
    *,
    token_stdin: bool,
    as_operator: bool,
    scope: list[str],
    root: str,
    reason: str,
    **options: Any,
) -> Principal:
    slug = _slug(mcp, **options)
    if as_operator:
        return calling.operator(mcp, scope, slug=slug, command=f"mcp call {tool}", reason=reason)
    if scope:
        raise not_called("--scope is for --as-operator: a token has the scopes that it was made with")
    token = sys.stdin.readline().strip() if token_stdin else os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise not_called("no token came in" if token_stdin else NO_CALLER_TEXT)
    return asyncio.run(calling.bearer_of(mcp, token, slug=slug, root=addresses.root(root)))
