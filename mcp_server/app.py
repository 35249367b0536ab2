"""`MCP`: a project's server, mounted beside its Django, or under another ASGI application."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, InterfaceError, InternalError, OperationalError, connections
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from mcp_server import configuration, metrics, spans, workers
from mcp_server.connect.page import Page, is_for_a_person
from mcp_server.declare import discovery, prompts, resources, tools
from mcp_server.declare.arguments import Words
from mcp_server.declare.registry import Registry, Spec
from mcp_server.declare.tools import Endpoint
from mcp_server.http import metadata
from mcp_server.http.authentication import Advertised, Authenticate, Backend, anyone, by_token
from mcp_server.http.exchanges import Exchanges
from mcp_server.http.hosts import WELL_KNOWN, NamedHosts, SharedOrigins, require_own_address
from mcp_server.http.kept import KeptPrincipals
from mcp_server.http.nesting import reachable
from mcp_server.http.requests import Trimmed, unavailable
from mcp_server.http.shutdown import told_of_the_end
from mcp_server.http.statics import Statics
from mcp_server.http.transport import Transport
from mcp_server.ledger import buffer
from mcp_server.limits.gate import Gate
from mcp_server.limits.rules import Limits
from mcp_server.limits.stores import Store
from mcp_server.spans.requests import ROUTE_KEY
from mcp_server.startup import in_a_sentence
from rls.backends.postgresql.lasting import keep_pulses
from rls.context import PLATFORM_ALIAS

if TYPE_CHECKING:
    from django.core.handlers.asgi import ASGIHandler

    from mcp_server.server import EndpointServer


# What is said where a project has no server, or none that can be found.
NO_SERVER_TEXT = (
    'there is no MCP server: set ASGI_APPLICATION to one, as "config.asgi.application", where config/asgi.py says '
    'application = MCP("my project").asgi(django=get_asgi_application()), or to the application that mounts it'
)


class MCP:
    """A server: what it offers, to whom, and how it is called. To make one is no work: that begins with `lifespan`.

    `tool`, `resource` and `prompt` declare what this server alone has.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str = "",
        title: Words = "",
        description: Words = "",
        instructions: str = "",
        scopes: Iterable[str] | None = None,
        scopes_on_request: Iterable[str] = (),
        contacts_scope: str | None = None,
        authenticate: Authenticate = by_token,
        platform: bool | Authenticate = False,
        apps: Collection[str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """
        Args:
            name, version: what clients are told of the server.
            title, description: the same for people: its name, and in one sentence what it is for.
            instructions: what a model has to know about all tools of a tenant, beside what is true of every server of
                this library (see mcp_server.instructions).
            scopes: what a token may be allowed, as texts or a StrEnum. `manage.py check` names a tool, resource or
                prompt that asks for another one. Where they are left out, they are those that something asks for.
            scopes_on_request: those of them that nobody has who was not given them by name: neither a token that is
                minted without `scopes`, nor whoever calls a server that asks for no token.
            contacts_scope: whoever lacks it is shown e-mail addresses and phone numbers masked, in whatever he is
                answered; everybody sees them where it is left out. See mcp_server.contacts.
            authenticate: says who calls, see mcp_server.http.authentication.
            platform: whether there is an endpoint for work across tenants; if it is a function, who calls there.
            apps: labels of the apps whose `mcp_tools` are offered; all where it is left out.
            limits: how much is taken from one tenant, one caller and one address; where it is left out, `Limits()`.
        """
        self.name = name
        self.version = version
        self.title = title
        self.description = description
        # Where `asgi` has put it last.
        self.at = "/mcp"
        self.instructions = instructions
        self.authenticate = authenticate
        self.has_platform = bool(platform)
        self.authenticate_platform = platform if callable(platform) else authenticate
        self._scopes = None if scopes is None else frozenset(map(str, scopes))
        self.scopes_on_request = frozenset(map(str, scopes_on_request))
        self.contacts_scope = None if contacts_scope is None else str(contacts_scope)
        self._apps = apps
        self.limits = limits or Limits()
        self._own: list[Spec] = []
        self._prepared: dict[Endpoint, EndpointServer] = {}
        self._transports: dict[Endpoint, Transport] = {}
        self.tool = functools.partial(tools.tool, declared=self._own)
        self.resource = functools.partial(resources.resource, declared=self._own)
        self.prompt = functools.partial(prompts.prompt, declared=self._own)

    def registry(self) -> Registry:
        """What is offered: what the apps declare, and what this object does.

        Raises ImproperlyConfigured: two have one name, or no app has one of the labels.
        """
        return Registry([*discovery.declared(self._apps), *self._own])

    def scopes(self) -> frozenset[str]:
        """Every scope there is."""
        if self._scopes is not None:
            return self._scopes
        return self.registry().scopes() | ({self.contacts_scope} if self.contacts_scope is not None else set())

    def default_scopes(self) -> frozenset[str]:
        """Every scope but those that have to be asked for by name."""
        return self.scopes() - self.scopes_on_request

    def asks_for_token(self, endpoint: Endpoint = Endpoint.TENANT) -> bool:
        """Whether a client has to be given a token: not where `anyone` is asked, and not where it gets one itself."""
        return endpoint is Endpoint.PLATFORM or not (self.authenticate is anyone or self.asks_to_sign_in(endpoint))

    def asks_to_sign_in(self, endpoint: Endpoint = Endpoint.TENANT) -> bool:
        """Whether a client is told where its person signs in."""
        return endpoint is Endpoint.TENANT and isinstance(self.authenticate, Advertised)

    def endpoints(self) -> list[Endpoint]:
        """Where it is offered."""
        return [Endpoint.TENANT, Endpoint.PLATFORM] if self.has_platform else [Endpoint.TENANT]

    def asgi(self, *, django: ASGIApp | ASGIHandler | None = None, at: str = "/mcp") -> Application:
        """An ASGI application: tenants at `<at>/<slug>/`, the platform at `<at>/`, and `django` at all other paths.

        Without `django` it is to be mounted under another application, which runs `lifespan`.

        Raises ImproperlyConfigured: `at` is "/", which leaves `django` no path of one segment.
        """
        if django is not None and not at.strip("/"):
            raise ImproperlyConfigured(
                f"MCP({self.name!r}).asgi(django=..., at={at!r}): every path of one segment would be a tenant's, as "
                '/admin/; write at="/mcp"'
            )
        self.at = f"/{at.strip('/')}".rstrip("/")
        return Application(self, cast("ASGIApp | None", django), at=self.at)

    def prepare(self) -> None:
        """Make what `lifespan` serves, which does it otherwise. Raises ImproperlyConfigured: it can't be served."""
        from mcp_server import server  # needs Django's models, which are not there yet where an MCP object is made

        if isinstance(self.authenticate, Advertised):
            require_own_address()
        if configuration.metrics_address():
            metrics.require_installed()
        self._prepared = {endpoint: server.build(self, endpoint) for endpoint in self.endpoints()}

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Within the block, requests are answered: `Starlette(..., lifespan=mcp.lifespan)`.

        Raises ImproperlyConfigured: it can't be served like this. The database is asked first whether it would serve
        the roles of this process.
        """
        await workers.run(check_database)
        await workers.run(keep_pulses)
        if not self._prepared:
            self.prepare()
        servers, self._prepared = self._prepared, {}
        scopes, principals = self.default_scopes(), KeptPrincipals()
        authenticated = {Endpoint.TENANT: self.authenticate, Endpoint.PLATFORM: self.authenticate_platform}
        store = Store(configuration.redis_url())
        gate = Gate(self.name, self.limits, store)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(store.close)
            stack.push_async_callback(asyncio.to_thread, spans.flush)
            stack.push_async_callback(workers.run, buffer.flush)
            if address := configuration.metrics_address():
                stack.enter_context(metrics.served(*address, servers))
            transports = {
                endpoint: Transport(
                    each,
                    Backend(authenticated[endpoint], scopes, principals, scopes_on_request=self.scopes() - scopes),
                    gate,
                )
                for endpoint, each in servers.items()
            }
            for transport in transports.values():
                await stack.enter_async_context(transport.running())
            stack.enter_context(told_of_the_end(servers[Endpoint.TENANT].close))
            # Where an application around ours runs it too, what was there before goes on afterwards.
            before, self._transports = self._transports, transports
            try:
                yield
            finally:
                self._transports = before

    def transport(self, endpoint: Endpoint) -> Transport:
        """What answers requests. Raises RuntimeError: nothing does, outside of `lifespan`."""
        if endpoint not in self._transports:
            raise RuntimeError(
                f"MCP server {self.name!r} is not running: the application that mounts it must run its lifespan. "
                "Write Starlette(routes=[...], lifespan=mcp.lifespan)"
            )
        return self._transports[endpoint]


class Application(Starlette):
    """The ASGI application of one MCP object."""

    def __init__(self, mcp: MCP, django: ASGIApp | None, *, at: str) -> None:
        self.mcp = mcp
        super().__init__(
            routes=_routes(mcp, django, at),
            middleware=[Middleware(Trimmed), Middleware(SharedOrigins, at=at), Middleware(Exchanges)],
            lifespan=mcp.lifespan,
            exception_handlers=dict.fromkeys([OperationalError, InterfaceError, InternalError], unavailable),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, in_a_sentence(send) if scope["type"] == "lifespan" else send)


class Served:
    """Passes a request to what serves the endpoint now."""

    def __init__(self, mcp: MCP, endpoint: Endpoint, at: str, *, by: str = "messages") -> None:
        self._mcp, self._endpoint, self._at, self._by = mcp, endpoint, at, by

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # no transport of the protocol (MCP specification, "Transports")
            await WebSocketClose()(scope, receive, send)
            return
        if self._by == "messages" and is_for_a_person(scope):
            await NamedHosts(Page(self._mcp, self._endpoint))(scope, receive, send)
            return
        app: ASGIApp = getattr(self._mcp.transport(self._endpoint), self._by)
        # In place: the span of the request reads it when all is answered.
        scope[ROUTE_KEY] = self._at if self._endpoint is Endpoint.PLATFORM else f"{self._at}/{{tenant}}"
        if self._endpoint is Endpoint.PLATFORM:
            # An application around us may have a parameter of this name in its path: it is no tenant of ours.
            scope = {**scope, "path_params": {**scope.get("path_params", {}), "tenant": ""}}
        else:
            scope = {**scope, metadata.RESOURCE_KEY: metadata.located(scope, self._at)}
        await app(scope, receive, send)


def check_database() -> None:
    """Connect as the serving roles that the project has; a role that could bypass row-level security is refused."""
    for alias in (DEFAULT_DB_ALIAS, PLATFORM_ALIAS):
        if alias in connections:
            connections[alias].ensure_connection()


def mounted() -> list[MCP]:
    """The MCP objects of the project: those that the module of ASGI_APPLICATION names, and those that are mounted in
    the applications that it names, however deep.
    """
    module, _, _ = str(getattr(settings, "ASGI_APPLICATION", None) or "").rpartition(".")
    named = vars(import_module(module)).values() if module else ()
    return [each for each in reachable(named) if isinstance(each, MCP)]


def _routes(mcp: MCP, django: ASGIApp | None, at: str) -> list[BaseRoute]:
    tenants = Served(mcp, Endpoint.TENANT, at)
    routes: list[BaseRoute] = []
    if isinstance(mcp.authenticate, Advertised):
        routes.append(Route(f"{WELL_KNOWN}{at}/{{tenant:tenant}}", metadata.served(mcp, mcp.authenticate)))
    routes.append(Route(f"{at}/{{tenant:tenant}}", tenants))
    if mcp.has_platform:
        platform = Served(mcp, Endpoint.PLATFORM, at)
        routes += [Route(path, platform) for path in filter(None, [at, f"{at}/"])]
    if configuration.has_sessions():
        routes.append(Mount(f"{at}/{{tenant}}", Served(mcp, Endpoint.TENANT, at, by="sse_pair")))
    if django is not None:
        routes.append(Mount("/", Statics(django)))
    return routes
