"""`manage.py quickstart`, which is `make run`: migrated, two demo tenants, a token for each, served."""

from __future__ import annotations

import json
import shlex
from itertools import islice
from secrets import token_urlsafe
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections

from core.development import environment
from core.models import Tenant
from core.roles import Role
from core.services import demo, members, tenants
from mcp_server.http import serve
from mcp_server.management.platform import working
from mcp_server.tokens import resolver, tokens
from rls import tenant_context
from rls.router import OWNER_ALIAS

TENANTS = {"test1": "測試租戶1", "test2": "測試租戶2"}

# Who signs in where MCP_AUTH is sign-in, and as what.
DEMO_USER = "demo"
DEMO_ROLES = {"test1": Role.OWNER, "test2": Role.VIEWER}

BANNER = """
Ready. Two tenants, their MCP endpoints, and a token for each:

{endpoints}
  platform  {platform_url}
            Authorization: Bearer {platform_token}

Claude Code:

  {claude}

Other clients, .mcp.json:

{mcp_json}

Call a tool:

  {curl}

{sign_in}Ctrl-C stops the server and the database it started.
"""

SIGN_IN = """\
A client that has only a tenant's URL opens a page where a person signs in:

  {claude}
  {user}, password {password}: owner of test1, viewer in test2

"""

TENANTS_OF_ITS_OWN = """
Ready at {root}. The database has tenants of its own, so no demo was made. For a token:

  manage.py tokens create --tenant <tenant> --name <name>

Ctrl-C stops the server.
"""


class Command(BaseCommand):
    help = "Prepares the database, makes two demo tenants where there is none, and serves."
    # Django 6.1 asks the database in its checks: they run where an answer that does not come is a sentence.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            host, port = serve.address()
            serve.require_free(host, port)
            self.check()
            if OWNER_ALIAS in connections:
                call_command("migrate", verbosity=0)
            secrets = demo_tokens()
            password = demo_password() if secrets and settings.MCP_AUTH == "sign-in" else ""
            # The server opens pools of its own.
            connections.close_all()
            root = settings.PUBLIC_URL.rstrip("/") or serve.url(host, port)
            serve.serve(host, port, on_ready=lambda: self._announce(banner(root, secrets, password)))
        except serve.CannotServe as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"the database does not answer: {error}") from error
        except KeyboardInterrupt:
            self.stdout.write("stopped")

    def _announce(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # into a pipe or a file it would wait until the server ends


def demo_tokens() -> dict[str, str]:
    """A working token for each demo tenant and, under "platform", for the platform; tenants are made where none is.

    Empty where the database has tenants of its own: nothing is made, or opened, beside them.
    """
    with working("quickstart", "prepare the demo"):
        present = {facts.subdomain for facts in islice(tenants.find(), len(TENANTS) + 1)}
        if not present <= TENANTS.keys():
            return {}
        for subdomain in TENANTS.keys() - present:
            tenants.create(subdomain=subdomain, name=TENANTS[subdomain])
        empty = [facts for facts in tenants.find() if facts.is_active and not facts.user_count]
    for facts in empty:
        with tenant_context(facts.id):
            demo.create(seed=list(TENANTS).index(facts.subdomain) + 1)
    kept = environment.kept_secrets()
    found = {
        endpoint: token
        for endpoint in [*TENANTS, "platform"]
        if is_valid(token := kept.get(f"token {endpoint}", ""), endpoint)
    }
    with working("quickstart", "mint the demo's tokens"):
        for endpoint in {*TENANTS, "platform"} - found.keys():
            found[endpoint] = tokens.create(name="quickstart", slug=None if endpoint == "platform" else endpoint)
    environment.keep_secrets({f"token {endpoint}": token for endpoint, token in found.items()})
    return found


def is_valid(token: str, endpoint: str) -> bool:
    """Whether the token is still accepted at this endpoint, a tenant's subdomain or "platform".

    It has the scopes of a new one, too.
    """
    is_platform = endpoint == "platform"
    principal = resolver.authenticate_platform(token) if is_platform else resolver.authenticate(token, slug=endpoint)
    return principal is not None and principal.scopes >= tokens.default_scopes()


def demo_password() -> str:
    """That of DEMO_USER, who is made where there is none, and belongs to both demo tenants."""
    password = environment.kept_secrets().get(f"password {DEMO_USER}") or token_urlsafe(9)
    with working("quickstart", "prepare the demo's user"):
        user, _ = User.objects.get_or_create(username=DEMO_USER)
        if not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
        joined = {membership.tenant_id for membership in members.memberships_of(user)}
        for subdomain, role in DEMO_ROLES.items():
            tenant = Tenant.objects.get(subdomain=subdomain)
            if tenant.is_active and tenant.id not in joined:
                members.add(user=user, tenant=tenant, role=role, actor="quickstart")
    environment.keep_secrets({f"password {DEMO_USER}": password})
    return password


def banner(root: str, secrets: dict[str, str], password: str = "") -> str:
    """What to paste where; `password` is that of DEMO_USER, where people sign in."""
    if not secrets:
        return TENANTS_OF_ITS_OWN.format(root=root)
    endpoints = {
        endpoint: (f"{root}/mcp/{endpoint}/", f"Authorization: Bearer {secrets[endpoint]}") for endpoint in TENANTS
    }
    url, header = endpoints["test1"]
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_tenants", "arguments": {}}}
    servers = {
        endpoint: {"type": "http", "url": url, "headers": dict([header.split(": ", 1)])}
        for endpoint, (url, header) in endpoints.items()
    }
    sign_in = SIGN_IN.format(
        claude=shlex.join(["claude", "mcp", "add", "--transport", "http", "test1", url]),
        user=DEMO_USER,
        password=password,
    )
    return BANNER.format(
        sign_in=sign_in if password else "",
        endpoints="\n".join(
            f"  {endpoint:9} {url}\n            {header}\n" for endpoint, (url, header) in endpoints.items()
        ),
        platform_url=f"{root}/mcp/",
        platform_token=secrets["platform"],
        claude=shlex.join(["claude", "mcp", "add", "--transport", "http", "test1", url, "--header", header]),
        mcp_json=json.dumps({"mcpServers": servers}, indent=2),
        curl=" \\\n    ".join(
            [
                f"curl -s {url} -H {shlex.quote(header)}",
                "-H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'",
                f"-d {shlex.quote(json.dumps(call))}",
            ]
        ),
    )
