"""The Django views: `/t/<tenant>/...` is that tenant's, and only the middleware makes it so."""

from __future__ import annotations

import codecs
import csv
import io
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils import translation

import rls
from core.middleware import SCOPES_OF_VIEWS, SIGNED_VIEWS, requires
from core.models import Product
from core.scopes import Scope
from core.urls import urlpatterns as project_urls
from mcp_server.http.bearer import HEADER_MALFORMED, TOKEN_INVALID, TOKEN_MISSING, Challenge
from mcp_server.tokens import tokens
from tests.support.processes import Process
from tests.support.world import World, platform_token, working

Get = Callable[..., Any]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def wsgi(url: str, **headers: str) -> Any:
    return Client(raise_request_exception=False).get(url, headers=headers)


def asgi(url: str, **headers: str) -> Any:
    return async_to_sync(AsyncClient(raise_request_exception=False).get)(url, headers=headers)


both_servers = pytest.mark.parametrize("get", [wsgi, asgi])


def add_products(world: World, *names: str) -> None:
    with rls.tenant_context(world.id):
        for name in names:
            Product.objects.create(sku=name, name=name, price_minor=1, currency="EUR")


async def stream(world: World) -> AsyncIterator[bytes]:
    url = f"/t/{world.subdomain}/api/products.csv"
    response: Any = await AsyncClient().get(url, headers=bearer(world.token))
    assert response.streaming
    return aiter(response.streaming_content)


@async_to_sync
async def download(world: World) -> list[list[str]]:
    """The rows of a tenant's CSV; between its chunks no context is open."""
    content = b""
    async for chunk in await stream(world):
        assert rls.current_tenant_id() is None
        content += chunk
    assert rls.current_tenant_id() is None
    assert content.startswith(codecs.BOM_UTF8), "Excel takes it for another encoding"
    return list(csv.reader(io.StringIO(content.removeprefix(codecs.BOM_UTF8).decode(), newline="")))


@both_servers
def test_info_is_the_tenants_own(acme: World, globex: World, get: Get) -> None:
    info = get("/t/globex/api/info", **bearer(globex.token)).json()

    assert (info["subdomain"], info["name"], info["is_active"], info["user_count"]) == (
        "globex",
        "Globex",
        True,
        1,
    )
    assert rls.current_tenant_id() is None


@both_servers
def test_products_and_orders_are_the_tenants_own(acme: World, globex: World, get: Get) -> None:
    products = get("/t/acme/api/products", **bearer(acme.token)).json()["items"]
    orders = get("/t/globex/api/orders", **bearer(globex.token)).json()["items"]

    assert [(item["id"], item["name"]) for item in products] == [(str(acme.product_id), "Acme anvil")]
    assert [(item["id"], item["total_minor"]) for item in orders] == [(str(globex.order_id), 3998)]
    assert rls.current_tenant_id() is None


def test_the_csv_holds_the_tenants_own_products(acme: World, globex: World) -> None:
    header, *rows = download(globex)

    assert header == ["sku", "name", "price", "price_minor", "currency", "stock", "is_active"]
    assert rows == [["A-1", "Globex anvil", "19.99", "1999", "EUR", "5", "True"]]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1"])
def test_a_cell_that_a_spreadsheet_would_run_becomes_text(acme: World, name: str) -> None:
    add_products(acme, name)

    rows = download(acme)

    assert [row[1].replace("'", "") for row in rows] == ["name", name, "Acme anvil"]
    assert rows[1][1].startswith("'")


@async_to_sync
async def read_in_turn(first: World, second: World) -> tuple[list[bytes], list[bytes]]:
    """Both CSVs, a chunk of the one and a chunk of the other."""
    chunks: tuple[list[bytes], list[bytes]] = ([], [])
    streams = [await stream(first), await stream(second)]
    for _ in range(4):
        for read, into in zip(streams, chunks, strict=True):
            into.append(await anext(read))
            assert rls.current_tenant_id() is None
    for read in streams:
        with pytest.raises(StopAsyncIteration):
            await anext(read)
    return chunks


def test_two_streams_that_are_read_in_turn_stay_apart(acme: World, globex: World) -> None:
    add_products(acme, "acme 1", "acme 2")
    add_products(globex, "globex 1", "globex 2")

    of_acme, of_globex = read_in_turn(acme, globex)

    assert [line.split(b",")[1] for line in of_acme] == [b"name", b"acme 2", b"acme 1", b"Acme anvil"]
    assert [line.split(b",")[1] for line in of_globex] == [b"name", b"globex 2", b"globex 1", b"Globex anvil"]


def test_pages_follow_each_other_newest_first(acme: World, globex: World) -> None:
    add_products(acme, "second", "third", "fourth", "fifth")

    first, last = (wsgi(f"/t/acme/api/products?limit=3&page={page}", **bearer(acme.token)).json() for page in (1, 2))

    assert [item["name"] for item in first["items"]] == ["fifth", "fourth", "third"]
    assert [item["name"] for item in last["items"]] == ["second", "Acme anvil"]
    assert (last["page"], last["pages"], last["total"]) == (2, 2, 5)
    assert wsgi("/t/acme/api/products?limit=100", **bearer(acme.token)).json()["pages"] == 1


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=x", "limit=²", "limit=-1", "limit=1.0", "limit=1_0", "limit="),
        *("page=0", "page=1000001", "page=x", f"page={'9' * 5000}"),
    ],
)
def test_a_page_or_limit_out_of_range_is_refused(acme: World, query: str) -> None:
    answers = [wsgi(f"/t/acme/api/{name}?{query}", **bearer(acme.token)) for name in ("products", "orders")]

    assert [answer.status_code for answer in answers] == [400, 400]


@both_servers
def test_every_refusal_is_the_same_answer(acme: World, globex: World, admin: psycopg.Connection, get: Get) -> None:
    admin.execute("UPDATE core_tenant SET is_active = false WHERE subdomain = 'globex'")

    answers = {
        "another tenant's token": get("/t/acme/api/products", **bearer(globex.token)),
        "a platform token": get("/t/acme/api/orders", **bearer(platform_token())),
        "unknown tenant": get("/t/nowhere/api/info", **bearer(acme.token)),
        "no possible tenant": get("/t/acme%00/api/info", **bearer(acme.token)),
        "suspended tenant": get("/t/globex/api/products.csv", **bearer(globex.token)),
    }

    for reason, answer in answers.items():
        assert answer.status_code == 401, reason
        assert (answer.json(), answer["WWW-Authenticate"]) == (TOKEN_INVALID.body, TOKEN_INVALID.header), reason


@both_servers
@pytest.mark.parametrize("tenant", ["acme", "nowhere"])
@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        ("", TOKEN_MISSING),
        ("Basic dXNlcjpwYXNz", TOKEN_MISSING),
        ("Bearer", HEADER_MALFORMED),
        ("Bearer one two", HEADER_MALFORMED),
        ("Bearer one, Bearer two", HEADER_MALFORMED),
        ("Bearer t\xf6ken", TOKEN_INVALID),
    ],
)
def test_a_request_without_one_token_is_told_so(
    authorization: str, challenge: Challenge, tenant: str, acme: World, get: Get
) -> None:
    answer = get(f"/t/{tenant}/api/info", **({"Authorization": authorization} if authorization else {}))

    assert answer.status_code == challenge.status
    assert (answer.json(), answer["WWW-Authenticate"]) == (challenge.body, challenge.header)


@pytest.mark.parametrize("name", ["info", "products", "products.csv", "orders"])
def test_the_door_only_reads(acme: World, name: str) -> None:
    answer = async_to_sync(AsyncClient().post)(f"/t/acme/api/{name}", headers=bearer(acme.token))

    assert answer.status_code == 405


@pytest.mark.django_db
def test_the_pages_of_the_process_need_no_tenant(database: str) -> None:
    assert b"http://testserver/mcp/<tenant>/" in wsgi("/").content
    for url in ("/healthz", "/readyz"):
        answer = wsgi(url)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def request(server: Process, path: str, *hosts: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body of what a server answers to a request with these Host headers."""
    head = "".join(f"Host: {host}\r\n" for host in hosts)
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as raw:
        raw.sendall(f"{method} {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        status, _, rest = raw.makefile("rb").read().partition(b"\r\n")
    return int(status.split()[1]), rest.partition(b"\r\n\r\n")[2]


HOSTS_OF_PROBES = [
    "10.1.2.3",
    "10.1.2.3:8000",
    "[fd00::7]:8000",
    "web-7.internal",
    "",
    "no host at all/",
    "evil.example",
]


@pytest.mark.parametrize("hosts", [[], *([host] for host in HOSTS_OF_PROBES), ["a", "b"]])
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/readyz?verbose"])
def test_a_probe_names_any_host_or_none(path: str, hosts: list[str], server: Process) -> None:
    assert request(server, path, *hosts) == (200, b'{"status": "ok"}')


@pytest.mark.parametrize("path", ["/", "/healthz/", "/healthz/x", "/readyzz", "/admin/login/", "/t/acme/api/info"])
def test_everything_else_needs_a_host_that_is_ours(path: str, acme: World, server: Process) -> None:
    status, body = request(server, path, "10.1.2.3")

    assert status == 400
    assert b"10.1.2.3" not in body


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_only_reads(path: str, server: Process) -> None:
    assert request(server, path, "10.1.2.3", method="HEAD") == (200, b"")
    assert request(server, path, "10.1.2.3", method="POST")[0] == 405


@both_servers
def test_a_probe_is_answered_under_both_servers(get: Get, database: str) -> None:
    assert [get(path, Host="10.1.2.3").status_code for path in ("/healthz", "/readyz", "/")] == [200, 200, 400]


def test_ready_again_after_the_database_was_away(acme: World, admin: psycopg.Connection) -> None:
    assert wsgi("/t/acme/api/info", **bearer(acme.token)).status_code == 200
    admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE usename = 'app_tenant' AND datname = current_database()"  # other workers have databases beside this one
    )

    answers = [wsgi("/readyz").status_code, wsgi("/t/acme/api/info", **bearer(acme.token)).status_code]

    assert answers == [200, 200]


@pytest.mark.django_db
def test_not_ready_without_a_database(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connections["default"]
    monkeypatch.setitem(connection.settings_dict, "PORT", 1)
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})

    answer = wsgi("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"status": "the database does not answer"})


@pytest.fixture
def serving_role(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A role of this test alone, which serves in the place of app_tenant: roles are shared by every database."""
    name = f"serving_{os.getpid()}"
    admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'serving' IN ROLE app_tenant")
    connection = connections["default"]
    connection.close()
    for key, value in (("USER", name), ("PASSWORD", "serving"), ("OPTIONS", {})):
        monkeypatch.setitem(connection.settings_dict, key, value)
    yield name
    connection.close()
    admin.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize("right", ["BYPASSRLS", "SUPERUSER"])
def test_not_ready_as_a_role_that_could_bypass_row_level_security(
    right: str, serving_role: str, admin: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """Which it has got since its connection was opened, or had when another one opens."""
    assert wsgi("/readyz").status_code == 200

    admin.execute(f"ALTER ROLE {serving_role} {right}")
    late = wsgi("/readyz")
    connections["default"].close()
    anew = wsgi("/readyz")
    admin.execute(f"ALTER ROLE {serving_role} NO{right}")

    said = {"status": "row-level security does not bind the role that serves"}
    assert [(answer.status_code, answer.json()) for answer in (late, anew)] == [(503, said)] * 2
    assert f"refusing to serve as {serving_role}" in caplog.text
    assert wsgi("/readyz").status_code == 200


@requires(Scope.TENANTS_READ)
def language(request: HttpRequest, tenant: str) -> HttpResponse:
    return HttpResponse(translation.get_language())


@requires(Scope.TENANTS_READ)
def fails(request: HttpRequest, tenant: str) -> HttpResponse:
    assert rls.current_tenant_id() is not None
    raise RuntimeError("on purpose")


@requires(Scope.TENANTS_READ)
async def fails_later(request: HttpRequest, tenant: str) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[str]:
        yield str(rls.current_tenant_id())
        raise RuntimeError("on purpose")

    return StreamingHttpResponse(chunks())


urlpatterns = [
    path("t/<str:tenant>/language", language),
    path("t/<str:tenant>/fails", fails),
    path("t/<str:tenant>/fails-later", fails_later),
]


@both_servers
@pytest.mark.urls(__name__)
def test_a_request_without_a_language_gets_the_tenants(acme: World, get: Get) -> None:
    silent = get("/t/acme/language", **bearer(acme.token))
    explicit = get("/t/acme/language", **bearer(acme.token), **{"Accept-Language": "zh-Hant"})

    assert (silent.content, explicit.content) == (b"en", b"zh-hant")


@both_servers
@pytest.mark.urls(__name__)
def test_a_view_that_raises_leaves_no_context(acme: World, get: Get) -> None:
    answer = get("/t/acme/fails", **bearer(acme.token))

    assert answer.status_code == 500
    assert rls.current_tenant_id() is None


@async_to_sync
async def first_chunk_then_failure(world: World) -> bytes:
    response: Any = await AsyncClient().get(f"/t/{world.subdomain}/fails-later", headers=bearer(world.token))
    chunks = aiter(response.streaming_content)
    first: bytes = await anext(chunks)
    with pytest.raises(RuntimeError, match="on purpose"):
        await anext(chunks)
    assert rls.current_tenant_id() is None
    return first


@pytest.mark.urls(__name__)
def test_a_stream_that_breaks_off_leaves_no_context(acme: World) -> None:
    assert first_chunk_then_failure(acme).decode() == str(acme.id)


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("info", Scope.TENANTS_READ),
        ("products", Scope.PRODUCTS_READ),
        ("products.csv", Scope.PRODUCTS_READ),
        ("orders", Scope.ORDERS_READ),
    ],
)
def test_a_token_without_the_scope_is_refused(name: str, scope: Scope, acme: World) -> None:
    with working():
        without = tokens.create(name="narrow", slug="acme", scopes=set(Scope) - {scope})

    answer = Client().get(f"/t/acme/api/{name}", headers={"Authorization": f"Bearer {without}"})

    assert answer.status_code == 403
    assert answer.json()["error_description"] == f"This token lacks the scope {scope}"


def test_every_view_of_a_tenant_says_its_scope_or_is_signed() -> None:
    views = [pattern.callback for pattern in project_urls if "<str:tenant>" in str(pattern.pattern)]

    assert len(views) == 5
    assert set(views) <= SCOPES_OF_VIEWS.keys() | SIGNED_VIEWS
    assert [view.__name__ for view in SIGNED_VIEWS] == ["export"]
