"""The servers of a project are found wherever they are mounted, so that checks, commands and tokens know them."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from mcp_server.app import mounted
from mcp_server.tokens import resolver, tokens
from tests.support.world import World, working

HEAD = """
import functools
from django.core.asgi import get_asgi_application
from django.utils.functional import SimpleLazyObject
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Host, Mount, Router
from mcp_server import MCP


def refuse():
    raise RuntimeError("what is lazy is left alone")


lazy = SimpleLazyObject(refuse)


def served(name="inline"):
    return MCP(name, apps=[], scopes=["a:read"]).asgi()


class Slotted:
    __slots__ = ("inner", "unset")

    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        await self.inner(scope, receive, send)

    async def method(self, scope, receive, send):
        await self.inner(scope, receive, send)


def closing_over(inner):
    async def application(scope, receive, send):
        await inner(scope, receive, send)

    return application


class ByProtocol:
    def __init__(self, applications):
        self.applications = applications

    async def __call__(self, scope, receive, send):
        await self.applications[scope["type"]](scope, receive, send)


async def passing(inner, scope, receive, send):
    await inner(scope, receive, send)

"""
PLACES = {
    "under a path": 'Starlette(routes=[Mount("/x", served())])',
    "mounted later": 'Starlette()\napplication.mount("/x", served())',
    "under mounts in mounts": 'Starlette(routes=[Mount("/a", routes=[Mount("/b", Router([Mount("/c", served())]))])])',
    "under a host": 'Starlette(routes=[Host("mcp.example", Router([Mount("/", served())]))])',
    "below a router of a host": 'Starlette()\napplication.host("mcp.example", served())',
    "in a middleware": 'CORSMiddleware(Starlette(routes=[Mount("/x", served())]), allow_origins=["*"])',
    "in a mount's middleware": 'Starlette(routes=[Mount("/x", served(), middleware=[Middleware(CORSMiddleware)])])',
    "in slots": "Slotted(served())",
    "in a method": "Slotted(served()).method",
    "in a function": "closing_over(closing_over(served()))",
    "in a decorated function": "functools.wraps(closing_over(served()))(passing)",
    "in a partial": "functools.partial(passing, served())",
    "in a dictionary": 'ByProtocol({"http": Starlette(routes=[Mount("/x", served())])})',
    "in another server's django": 'MCP("outer", apps=[]).asgi(django=closing_over(served()))',
    "beside Django": 'Starlette(routes=[Mount("/x", served()), Mount("/", get_asgi_application())])',
}


def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, application: str) -> override_settings:
    """Settings of a project whose module of ASGI_APPLICATION ends like this."""
    name = f"{tmp_path.name}_asgi".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(HEAD + application)
    monkeypatch.syspath_prepend(tmp_path)
    return override_settings(ASGI_APPLICATION=f"{name}.application")


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_server_is_found_where_it_is_mounted(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with project(tmp_path, monkeypatch, f"application = {place}"):
        names = [mcp.name for mcp in mounted()]

    assert [name for name in names if name != "outer"] == ["inline"]


def test_what_refers_to_itself_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = 'application = Starlette(routes=[Mount("/x", served())])\napplication.mount("/again", application)\n'

    with project(tmp_path, monkeypatch, ring):
        assert [mcp.name for mcp in mounted()] == ["inline"]


def test_a_token_has_the_scopes_of_a_server_that_is_mounted_in_another_application(
    acme: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = StringIO()

    with project(tmp_path, monkeypatch, f"application = {PLACES['under a path']}"):
        call_command("tokens", "create", "--tenant", "acme", "--name", "inline", stdout=out)
        with pytest.raises(CommandError, match="invalid choice: 'b:read'"):
            call_command("tokens", "create", "--tenant", "acme", "--name", "inline", "--scope", "b:read")

    principal = resolver.authenticate(out.getvalue().strip(), slug="acme")
    assert principal
    assert principal.scopes == {"a:read"}


@pytest.mark.parametrize("application", ["application = Starlette()", None])
def test_where_no_server_is_found_no_token_without_scopes_is_minted(
    application: str | None, acme: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minted = StringIO()
    with working():
        before = len(tokens.find())

    settings = project(tmp_path, monkeypatch, application) if application else override_settings(ASGI_APPLICATION=None)
    with settings:
        with pytest.raises(CommandError, match="No scope can be given: there is no MCP server: set ASGI_APPLICATION"):
            call_command("tokens", "create", "--tenant", "acme", "--name", "lost")
        with working():
            assert len(tokens.find()) == before
        # A server that only its factory knows.
        call_command("tokens", "create", "--tenant", "acme", "--name", "t", "--scope", "a:read", stdout=minted)

    principal = resolver.authenticate(minted.getvalue().strip(), slug="acme")
    assert principal
    assert principal.scopes == {"a:read"}
