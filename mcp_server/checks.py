"""System checks: mistakes in what a project's servers offer, found by `manage.py check`."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections

from mcp_server import configuration
from mcp_server.declare.registry import Registry, Spec, place
from mcp_server.declare.tools import Endpoint, ToolSpec
from rls import timeouts
from rls.context import PLATFORM_ALIAS

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from mcp_server.app import MCP


def check_scopes(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """mcp_server.E001: something asks for a scope that its server does not have, so that nobody can ever use it."""
    from mcp_server.app import mounted

    return [error for mcp in mounted() for error in unknown_scopes(mcp.name, mcp.registry().specs(), mcp.scopes())]


def check_installed(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """mcp_server.E002, E003 and E009: a server needs an optional app of the library that is not installed."""
    from mcp_server.app import mounted

    return [error for mcp in mounted() for error in missing_apps(mcp)]


def missing_apps(mcp: MCP) -> Iterator[CheckMessage]:
    """An error for each app that a server needs and that is not installed."""
    from mcp_server.http.authentication import Advertised, anyone, by_token
    from mcp_server.sign_in.callers import SignIn

    writers = [f"{spec.name} ({place(spec.function)})" for spec in mcp.registry().specs() if is_writer(spec)]
    if writers and not apps.is_installed("mcp_server.ledger"):
        others = f" and {len(writers) - 1} more" if writers[1:] else ""
        yield Error(
            f"The server {mcp.name!r} has tools that change something, {writers[0]}{others}, and nothing keeps their "
            "audit events and answers.",
            hint='Add "mcp_server.ledger" to INSTALLED_APPS, and migrate; or declare read_only=True what only reads.',
            id="mcp_server.E002",
        )
    asked = [mcp.authenticate, mcp.authenticate_platform]
    asks_tokens = any(each in (by_token, anyone) or isinstance(each, Advertised) for each in asked)
    if asks_tokens and not apps.is_installed("mcp_server.tokens"):
        yield Error(
            f"The server {mcp.name!r} finds its callers in the tables of an app that is not installed.",
            hint='Add "mcp_server.tokens" to INSTALLED_APPS, and migrate; or say who calls in MCP(authenticate=...).',
            id="mcp_server.E003",
        )
    has_members = apps.is_installed("mcp_server.sign_in") and configuration.member_model()
    if isinstance(mcp.authenticate, SignIn) and not has_members:
        yield Error(
            f"The server {mcp.name!r} sends clients to a person who signs in, and nothing asks him, or knows of "
            "which tenant he is a member.",
            hint='Install django-tenant-mcp[oauth-server], add "mcp_server.sign_in" to INSTALLED_APPS and its urls to '
            "the root of the site, set MCP_MEMBER_MODEL, and migrate; or say who calls in MCP(authenticate=...).",
            id="mcp_server.E009",
        )


def is_writer(spec: Spec) -> bool:
    """Whether it is a tool that may change something."""
    return spec.kind == "tool" and not spec.is_read_only


def check_names(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """mcp_server.E006: two servers have one name, by which rounds, kept answers and commands tell them apart."""
    from mcp_server.app import mounted

    counts = Counter(mcp.name for mcp in mounted())
    return [
        Error(
            f"{count} servers are called {name!r}: what one has sealed or kept under a caller's key is taken by the "
            "other, and `manage.py mcp --server` finds one of them only.",
            hint="Give each MCP(...) of the project a name of its own.",
            id="mcp_server.E006",
        )
        for name, count in counts.items()
        if count > 1
    ]


def check_tools(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """mcp_server.E005: a tool that its server would refuse to start with."""
    from mcp_server.app import mounted

    return [error for mcp in mounted() for error in unservable_tools(mcp.registry())]


def unservable_tools(registry: Registry) -> Iterator[CheckMessage]:
    """An error for each tool that can't be served as it is declared."""
    from mcp_server import server

    for spec in [spec for endpoint in Endpoint for spec in registry.tools(endpoint)]:
        try:
            server.refuse_unservable(spec)
        except ImproperlyConfigured as error:
            what, _, hint = str(error).partition("; ")
            yield Error(f"{what}.", hint=f"{hint[:1].upper()}{hint[1:]}.", obj=spec.function, id="mcp_server.E005")


def check_timeouts(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """mcp_server.E008: a tool may take longer than its role, which ends its queries earlier than is said.

    It asks the databases that it is given (`manage.py check --database default`), and nothing otherwise.
    """
    from mcp_server.app import mounted

    aliases = {Endpoint.TENANT: DEFAULT_DB_ALIAS, Endpoint.PLATFORM: PLATFORM_ALIAS}
    asked = [
        (mcp, endpoint) for mcp in mounted() for endpoint in mcp.endpoints() if aliases[endpoint] in (databases or ())
    ]
    return [
        error
        for mcp, endpoint in asked
        for error in unreachable_timeouts(mcp.registry().tools(endpoint), connections[aliases[endpoint]])
    ]


def unreachable_timeouts(specs: list[ToolSpec], connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    """An error for each tool whose timeout is above that of the role of a connection."""
    bounded = [(spec, spec.timeout) for spec in specs if spec.timeout is not None]
    if not bounded:
        return
    connection.ensure_connection()
    of_role = timeouts.of_role(connection.connection)
    for spec, timeout in bounded:
        if of_role is not None and timeout > of_role:
            role = connection.settings_dict["USER"]
            yield Error(
                f"The tool {spec.name} ({place(spec.function)}) has timeout={timeout:g}, and a statement of the role "
                f"{role} ends after {of_role:g} seconds.",
                hint=f"Write timeout={of_role:g} or less; or let the role take longer, as a superuser: "
                f"ALTER ROLE {role} SET statement_timeout = '{round(timeout * 1000)}ms'.",
                obj=spec.function,
                id="mcp_server.E008",
            )


def unknown_scopes(server: str, specs: list[Spec], scopes: frozenset[str]) -> Iterator[CheckMessage]:
    """An error for each that asks for a scope that is none of these."""
    for spec in specs:
        if spec.scope is not None and str(spec.scope) not in scopes:
            close = difflib.get_close_matches(str(spec.scope), sorted(scopes), n=1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            yield Error(
                f"The {spec.kind} {spec.name} ({place(spec.function)}) asks for the scope {str(spec.scope)!r}, "
                f"which the server {server!r} does not have.",
                hint=f"Correct it, or add it to MCP(scopes=...).{meant}",
                obj=spec.function,
                id="mcp_server.E001",
            )
