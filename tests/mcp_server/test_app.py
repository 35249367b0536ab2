"""The MCP object: several in one process, under other applications, with a project's own way to know who calls."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.test import override_settings
from mcp.server.request_state import InvalidRequestState, RequestStateBoundary, RequestStateCodec
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from core.models import Product
from mcp_server import (
    MCP,
    Answer,
    Endpoint,
    Principal,
    anyone,
    by_token,
    checks,
    configuration,
    report_progress,
    server,
    workers,
)
from mcp_server.app import mounted
from mcp_server.http.authentication import Authenticate
from mcp_server.management.commands.mcp import chosen
from mcp_server.tokens import resolver
from tests.support.world import World, platform_token

JSON = {"Accept": "application/json, text/event-stream"}


class Scope(StrEnum):
    """What a token of these servers may do."""

    READ = "names:read"
    WRITE = "names:write"


class Names(Answer):
    """Names of products."""

    names: list[str]

    def text(self) -> str:
        return ", ".join(self.names)


def naming(name: str, **options: Any) -> MCP:
    """A server with one tool, which needs a scope, and tells the names of a tenant's products."""
    mcp = MCP(name, apps=[], **{"scopes": Scope, "authenticate": anyone} | options)

    @mcp.tool(scope=Scope.READ, title="Names", read_only=True, name=f"{name}_names")
    def names() -> Names:
        """Names of products."""
        return Names(names=[product.name for product in Product.objects.all()])

    return mcp


def marking(name: str, authenticate: Authenticate = anyone) -> MCP:
    """A server with one tool that changes something, and answers with the name of the server."""
    mcp = MCP(name, apps=[], authenticate=authenticate)

    @mcp.tool(scope=None, read_only=False)
    def mark() -> str:
        """Mark."""
        return name

    return mcp


def asked(app: Any, story: Callable[[httpx2.AsyncClient], Awaitable[Any]]) -> Any:
    """What a story with a client finds out, while the application's lifespan runs."""

    async def run() -> Any:
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await story(client)

    return asyncio.run(run())


async def call(client: httpx2.AsyncClient, path: str, method: str, token: str = "", **params: Any) -> httpx2.Response:
    headers = JSON | ({"Authorization": f"Bearer {token}"} if token else {})
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return await client.post(path, json=message, headers=headers)


async def tools(client: httpx2.AsyncClient, path: str, token: str = "") -> list[str]:
    answer = await call(client, path, "tools/list", token)
    return [each["name"] for each in answer.json()["result"]["tools"]]


async def text(client: httpx2.AsyncClient, path: str, name: str, token: str = "") -> str:
    answer = await call(client, path, "tools/call", token, name=name, arguments={})
    return str(answer.json()["result"]["content"][0]["text"])


def test_two_servers_of_one_process_have_tools_of_their_own(acme: World, globex: World) -> None:
    first, second = naming("first"), naming("second")
    app = first.asgi(django=second.asgi(at="/assist"), at="/mcp")

    async def story(client: httpx2.AsyncClient) -> Any:
        async with second.lifespan():
            listed = [await tools(client, path) for path in ("/mcp/acme/", "/assist/globex/")]
            return (
                listed,
                await text(client, "/mcp/acme/", "first_names"),
                await text(client, "/assist/globex/", "second_names"),
            )

    listed, of_first, of_second = asked(app, story)

    assert listed == [["first_names"], ["second_names"]]
    assert of_first == "Acme anvil"
    assert of_second == "Globex anvil"


def test_an_open_endpoint_grants_the_scopes_of_the_server(acme: World) -> None:
    mcp = naming("narrow", scopes=[])

    assert asked(mcp.asgi(), lambda client: tools(client, "/mcp/acme/")) == []


def test_it_is_mounted_under_a_starlette_application(acme: World) -> None:
    mcp = naming("mounted")
    routes = [Route("/own", lambda request: PlainTextResponse("own")), Mount("/v1", mcp.asgi(at="/assist"))]
    app = Starlette(routes=routes, lifespan=mcp.lifespan)

    async def story(client: httpx2.AsyncClient) -> Any:
        own = (await client.get("/own")).text
        statuses = [(await call(client, path, "tools/list")).status_code for path in ("/v1/mcp/acme", "/assist/acme")]
        return own, statuses, await text(client, "/v1/assist/acme/", "mounted_names")

    assert asked(app, story) == ("own", [404, 404], "Acme anvil")


def test_at_the_root_of_a_mount_the_tenant_is_the_path(acme: World) -> None:
    mcp = naming("root")
    app = Starlette(routes=[Mount("/assist", mcp.asgi(at="/"))], lifespan=mcp.lifespan)

    assert asked(app, lambda client: text(client, "/assist/acme", "root_names")) == "Acme anvil"


def test_a_tenant_in_the_path_of_the_application_around_it_does_not_open_the_platform(acme: World) -> None:
    mcp = naming("around", platform=True, authenticate=by_token)
    app = Starlette(routes=[Mount("/{tenant}", mcp.asgi())], lifespan=mcp.lifespan)
    token = platform_token()

    async def story(client: httpx2.AsyncClient) -> list[int]:
        calls = [("/acme/mcp/", acme.token), ("/acme/mcp/", token), ("/globex/mcp/acme/", acme.token)]
        return [(await call(client, path, "tools/list", each)).status_code for path, each in calls]

    assert asked(app, story) == [401, 200, 200]


def test_an_application_that_forgets_the_lifespan_is_told_what_to_write(
    acme: World, caplog: pytest.LogCaptureFixture
) -> None:
    app = Starlette(routes=[Mount("/", naming("forgotten").asgi())])

    answer = asked(app, lambda client: call(client, "/mcp/acme/", "tools/list"))

    assert answer.status_code == 500
    assert "MCP server 'forgotten' is not running" in caplog.text
    assert "lifespan=mcp.lifespan" in caplog.text


def test_an_answer_that_one_server_kept_is_no_answer_of_another(acme: World) -> None:
    async def marked(client: httpx2.AsyncClient) -> str:
        given = {"name": "mark", "arguments": {"idempotency_key": "same"}}
        answer = await call(client, "/mcp/acme/", "tools/call", **given)
        return str(answer.json()["result"]["content"][0]["text"])

    said = [asked(marking(name).asgi(), marked) for name in ("left", "left", "right")]

    assert said[:2] == ["left", "left"]
    assert said[2].startswith("This idempotency_key was used for another call.")


def test_a_lifespan_within_another_leaves_the_outer_one_serving(acme: World) -> None:
    mcp = naming("twice")

    async def story(client: httpx2.AsyncClient) -> list[int]:
        async with mcp.lifespan():
            within = await call(client, "/mcp/acme/", "tools/list")
        return [within.status_code, (await call(client, "/mcp/acme/", "tools/list")).status_code]

    assert asked(mcp.asgi(), story) == [200, 200]


def test_a_server_can_be_started_again(acme: World) -> None:
    app = naming("again").asgi()

    for _ in range(2):
        assert asked(app, lambda client: text(client, "/mcp/acme/", "again_names")) == "Acme anvil"


def test_without_a_platform_its_url_is_not_there(acme: World) -> None:
    token = platform_token()
    without, beside = naming("without").asgi(), naming("beside").asgi(django=get_asgi_application())

    for app in (without, beside):
        for path in ("/mcp", "/mcp/"):
            answer = asked(app, lambda client, path=path: call(client, path, "tools/list", token))  # type: ignore[misc]
            assert answer.status_code == 404


def test_the_platform_is_served_where_it_is_asked_for(acme: World) -> None:
    app = naming("with", platform=True).asgi()
    token = platform_token()

    async def story(client: httpx2.AsyncClient) -> list[int]:
        tokens = (token, acme.token, "")
        return [(await call(client, "/mcp/", "tools/list", each)).status_code for each in tokens]

    assert asked(app, story) == [200, 401, 401]


async def by_name(connection: HTTPConnection, slug: str) -> Principal | None:
    """The project's own way: who stands in a header that a gateway has set, in the tenant that he belongs to."""
    user, _, tenant = connection.headers.get("X-User", "").partition("@")
    found = await workers.run(resolver.open_endpoint, tenant, scopes=[Scope.READ])
    return replace(found, name=user, id=user) if found and user else None


def test_a_project_says_itself_who_calls(acme: World, globex: World) -> None:
    mcp = naming("own", authenticate=by_name)

    @mcp.tool(scope=None, title="Who", read_only=True)
    def who() -> Names:
        """Who calls."""
        from mcp_server import current_principal

        return Names(names=[current_principal().actor, current_principal().subject])

    async def story(client: httpx2.AsyncClient) -> Any:
        client.headers["X-User"] = "ada@acme"
        allowed = [await text(client, "/mcp/acme/", name) for name in ("who", "own_names")]
        # Of another tenant he is not, whatever the function says.
        elsewhere = await call(client, "/mcp/globex/", "tools/list", acme.token)
        client.headers["X-User"] = ""
        return allowed, elsewhere, await call(client, "/mcp/acme/", "tools/list")

    allowed, elsewhere, nobody = asked(mcp.asgi(), story)

    assert allowed == [f"ada, {acme.id}:ada", "Acme anvil"]
    assert (elsewhere.status_code, elsewhere.json()["error"]) == (401, "invalid_token")
    assert (nobody.status_code, nobody.headers["WWW-Authenticate"]) == (401, 'Bearer realm="mcp"')


def test_a_caller_without_an_id_is_refused_with_what_to_write(acme: World, caplog: pytest.LogCaptureFixture) -> None:
    async def careless(connection: HTTPConnection, slug: str) -> Principal | None:
        found = await by_name(connection, slug)
        return replace(found, id=None) if found else None

    async def marked(client: httpx2.AsyncClient) -> int:
        client.headers["X-User"] = "ada@acme"
        return (await call(client, "/mcp/acme/", "tools/list")).status_code

    assert asked(naming("careless", authenticate=careless).asgi(), marked) == 500
    assert "the principal 'ada' has no id" in caplog.text
    assert "write Principal(..., id=user.pk)" in caplog.text


@pytest.mark.parametrize("user", ["grace", "public", ""])
def test_one_caller_gets_no_answer_that_was_kept_for_another(user: str, acme: World) -> None:
    async def by_header(connection: HTTPConnection, slug: str) -> Principal | None:
        found = await workers.run(resolver.open_endpoint, slug)
        # Two callers may have one name.
        user = connection.headers["X-User"]
        return replace(found, name="Wang", id=user) if found and user else found

    app = marking("kept", authenticate=by_header).asgi()

    async def story(client: httpx2.AsyncClient) -> list[Any]:
        given = {"name": "mark", "arguments": {"idempotency_key": "same"}}
        answers = []
        for each in ("ada", user, "ada"):
            client.headers["X-User"] = each
            answers.append((await call(client, "/mcp/acme/", "tools/call", **given)).json()["result"])
        return answers

    first, other, again = asked(app, story)

    assert again == first
    assert other["isError"]
    assert other["content"][0]["text"].startswith("This idempotency_key was used for another call.")


def test_who_is_nobody_shares_no_subject_with_a_caller_called_public(acme: World) -> None:
    nobody = Principal("public", acme.id, "acme")
    called_public = Principal("public", acme.id, "acme", id="public")

    assert nobody.subject != called_public.subject


def test_the_platform_may_have_another_way(acme: World) -> None:
    async def operator(connection: HTTPConnection, slug: str) -> Principal | None:
        assert slug == ""
        is_known = connection.headers.get("X-Operator") == "grace"
        return Principal("grace", tenant_id=None, slug="", id="grace") if is_known else None

    app = naming("two", authenticate=by_token, platform=operator).asgi()

    async def story(client: httpx2.AsyncClient) -> list[int]:
        client.headers["X-Operator"] = "grace"
        known = await call(client, "/mcp/", "tools/list")
        tenant = await call(client, "/mcp/acme/", "tools/list")
        client.headers["X-Operator"] = "mallory"
        return [known.status_code, tenant.status_code, (await call(client, "/mcp/", "tools/list")).status_code]

    assert asked(app, story) == [200, 401, 401]


def test_a_principal_of_no_tenant_does_nothing_at_a_tenants_url(acme: World) -> None:
    async def careless(connection: HTTPConnection, slug: str) -> Principal | None:
        return Principal("careless", tenant_id=None, slug=slug, id="careless", scopes=frozenset(Scope))

    answer = asked(naming("careless", authenticate=careless).asgi(), lambda c: call(c, "/mcp/acme/", "tools/list"))

    assert answer.status_code == 401


def test_clients_are_told_the_name_the_version_and_the_projects_words(acme: World) -> None:
    app = naming("mine", version="2.7", instructions="Names are said in capitals.").asgi()
    handshake = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}

    answer = asked(app, lambda client: call(client, "/mcp/acme/", "initialize", **handshake)).json()["result"]

    assert answer["serverInfo"]["name"] == "mine"
    assert answer["serverInfo"]["version"] == "2.7"
    lines = answer["instructions"].splitlines()
    assert lines[0].startswith("The data of one tenant")
    assert lines[1] == "Names are said in capitals."
    # Its one tool only reads, and gives no cursor.
    assert not any(line.startswith(("Changes:", "Keys:", "Lists:")) for line in lines)


def test_an_unknown_scope_is_found_by_the_check() -> None:
    mcp = naming("checked")

    @mcp.tool(scope="names:reed", title="Typo", read_only=True)
    def typo() -> Names:
        """A tool that nobody can ever call."""
        return Names(names=[])

    [error] = checks.unknown_scopes(mcp.name, mcp.registry().specs(), mcp.scopes())

    assert error.id == "mcp_server.E001"
    assert "The tool typo (tests.mcp_server.test_app." in error.msg
    assert "'names:reed', which the server 'checked' does not have" in error.msg
    assert error.hint == "Correct it, or add it to MCP(scopes=...). Did you mean 'names:read'?"


def test_without_scopes_there_are_those_that_something_asks_for() -> None:
    mcp = naming("free", scopes=None)

    assert mcp.scopes() == {"names:read"}
    assert not list(checks.unknown_scopes(mcp.name, mcp.registry().specs(), mcp.scopes()))


def test_the_check_looks_at_what_asgi_application_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mistaken_asgi.py").write_text(
        "from mcp_server import MCP\n"
        "application = MCP('mistaken', apps=['core'], scopes=['orders:read']).asgi()\n"
        "beside = MCP('beside', apps=[])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    with override_settings(ASGI_APPLICATION="mistaken_asgi.application"):
        found = [mcp.name for mcp in mounted()]
        errors = checks.check_scopes(None)

    assert found == ["mistaken", "beside"]
    assert errors
    assert {error.id for error in errors} == {"mcp_server.E001"}
    assert any("adjust_stock" in error.msg for error in errors)


TWINS = """
from mcp_server import MCP
first, second, third = (MCP(name, apps=[]) for name in ("twin", "twin", "other"))
"""


def test_two_servers_of_one_name_are_found_by_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "twins_asgi.py").write_text(TWINS)
    monkeypatch.syspath_prepend(tmp_path)

    with override_settings(ASGI_APPLICATION="twins_asgi.first"):
        errors = [each for each in run_checks(tags=["mcp"]) if each.id == "mcp_server.E006"]

    [error] = errors
    assert "2 servers are called 'twin'" in error.msg
    assert error.hint == "Give each MCP(...) of the project a name of its own."


def test_a_project_without_an_asgi_application_has_nothing_to_check() -> None:
    with override_settings(ASGI_APPLICATION=None):
        assert checks.check_scopes(None) == []


IMPORTED = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings.that.are.not.there"
import mcp_server
assert not [name for name in sys.modules if name.startswith(("mcp.", "starlette", "rls", "django."))], "imported early"
assert mcp_server.__version__
served = mcp_server.MCP("imported", scopes=["a:read"], platform=True)
from django.apps import apps
assert not apps.ready
assert "mcp_server.server" not in sys.modules
"""


def test_to_import_the_library_and_to_make_a_server_is_no_work() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], env=os.environ, capture_output=True, text=True, timeout=300, check=False
    )

    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there() -> None:
    import mcp_server

    for name in mcp_server.__all__:
        assert getattr(mcp_server, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = mcp_server.nothing


def test_settings_that_a_project_does_not_have_hold_what_is_safe(acme: World) -> None:
    with override_settings():
        for name in ("MCP_SESSIONS", "MCP_ALLOWED_ORIGINS", "PUBLIC_URL", "DATABASE_POOL_SIZE", "MCP_AUTH"):
            delattr(settings, name)
        app = naming("bare").asgi()

        assert asked(app, lambda client: text(client, "/mcp/acme/", "bare_names")) == "Acme anvil"
        get = asked(app, lambda client: client.get("/mcp/acme/"))
        foreign = asked(app, lambda client: client.get("/mcp/acme/", headers={"Origin": "https://evil.example"}))

    assert (get.status_code, foreign.status_code) == (405, 403)


def test_rounds_are_sealed_with_the_projects_secrets_however_short() -> None:
    mcp = naming("m")

    def codec(secret: str, *older: str) -> RequestStateCodec:
        with override_settings(SECRET_KEY=secret, SECRET_KEY_FALLBACKS=[*older]):
            served = server.build(mcp, Endpoint.TENANT)
        [boundary] = [each for each in served.middleware if isinstance(each, RequestStateBoundary)]
        return boundary._security.codec

    sealed = codec("old").seal(b"a round")

    assert codec("new", "old").unseal(sealed) == b"a round"
    with pytest.raises(InvalidRequestState):
        codec("new").unseal(sealed)


def test_at_the_root_there_is_no_place_for_django() -> None:
    with pytest.raises(ImproperlyConfigured, match=r'write at="/mcp"'):
        naming("rooted").asgi(django=get_asgi_application(), at="/")


def test_a_new_project_is_reached_on_this_machine_as_its_django_is(acme: World) -> None:
    app = naming("new").asgi()

    async def story(client: httpx2.AsyncClient) -> list[int]:
        hosts = ("localhost:8000", "evil.example")
        return [(await client.get("/mcp/acme/", headers={"Host": host})).status_code for host in hosts]

    with override_settings(DEBUG=True, ALLOWED_HOSTS=[]):
        assert asked(app, story) == [405, 421]
    with override_settings(DEBUG=False, ALLOWED_HOSTS=[]):
        assert asked(app, story) == [421, 421]


def test_an_async_tool_tells_how_far_it_is_before_it_answers(acme: World) -> None:
    mcp = MCP("slow", apps=[], authenticate=anyone)

    @mcp.tool(scope=None, read_only=True)
    async def slow() -> str:
        """Takes its time."""
        for done in (1, 2):
            report_progress(done, 2)
        return "Done"

    params = {"name": "slow", "arguments": {}, "_meta": {"progressToken": "slow"}}
    answer = asked(mcp.asgi(), lambda client: call(client, "/mcp/acme/", "tools/call", **params))
    events = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]

    assert [each["params"]["progress"] for each in events[:-1]] == [1, 2]
    assert events[-1]["result"]["content"][0]["text"] == "Done"


def test_another_kind_of_session_is_refused() -> None:
    with override_settings(MCP_SESSIONS="sometimes"), pytest.raises(ImproperlyConfigured, match="set it to stateless"):
        naming("sometimes").asgi()


def test_what_a_server_declares_at_the_platform_needs_a_platform_to_be_there(acme: World) -> None:
    mcp = naming("both", platform=True)

    @mcp.tool(scope=None, title="Add", read_only=True, endpoint=Endpoint.PLATFORM)
    def nothing() -> Names:
        """Nothing."""
        return Names(names=[])

    token = platform_token()

    async def story(client: httpx2.AsyncClient) -> Any:
        return await tools(client, "/mcp/acme/"), await tools(client, "/mcp/", token)

    assert asked(mcp.asgi(), story) == (["both_names"], ["nothing"])


SEVERAL = "from mcp_server import MCP\nfirst = MCP('first', apps=[])\nsecond = MCP('second', apps=[]).asgi()\n"


def test_a_command_is_told_which_of_several_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "several_asgi.py").write_text(SEVERAL)
    monkeypatch.syspath_prepend(tmp_path)

    with override_settings(ASGI_APPLICATION="several_asgi.second"):
        assert chosen("second").name == "second"
        for name in ("", "third"):
            with pytest.raises(CommandError, match="choose one of the servers with --server: first, second"):
                chosen(name)


def test_a_command_of_a_project_without_a_server_says_what_to_write() -> None:
    with override_settings(ASGI_APPLICATION=None), pytest.raises(CommandError, match="set ASGI_APPLICATION to one"):
        chosen("")


@pytest.mark.parametrize(
    ("pool", "count"),
    [({"min_size": 1, "max_size": 7}, 7), ({"min_size": 3}, 3), (True, 4), ({}, 10), (False, 10)],
)
def test_a_process_has_as_many_workers_as_its_pool_has_connections(
    pool: object, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {"pool": pool})

    assert configuration.worker_count() == count


def test_static_files_are_those_of_the_projects_finders(acme: World) -> None:
    async def django(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("Django's")(scope, receive, send)

    async def story(client: httpx2.AsyncClient) -> list[Any]:
        found = await client.get("/static/admin/css/base.css")
        again = await client.get("/static/admin/css/base.css", headers={"If-None-Match": found.headers["etag"]})
        others = [
            (await client.get(path)).text
            for path in ("/static/admin/../../models.py", "/static/nothing.css", "/static/", "/static/%00")
        ]
        return [found.status_code, found.headers["content-type"], again.status_code, {*others}]

    app = naming("static").asgi(django=django)

    assert asked(app, story) == [200, "text/css; charset=utf-8", 304, {"Django's"}]
    with override_settings(STATIC_URL="https://cdn.example/static/"):
        assert asked(app, lambda client: client.get("/static/admin/css/base.css")).text == "Django's"
