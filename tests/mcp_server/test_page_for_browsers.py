"""What a browser sees at the URL of an endpoint, and that clients see nothing of it."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest
from django.test import override_settings
from starlette.applications import Starlette
from starlette.routing import Mount

from mcp_server import MCP, anyone
from mcp_server.connect import clients
from mcp_server.connect.clients import Client, Server
from tests.support.processes import Process
from tests.support.servers import shop
from tests.support.world import World

# As Chromium and Firefox send it when a person opens an address.
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}
ENGLISH = BROWSER | {"Accept-Language": "en-GB,en;q=0.9"}
CHINESE = BROWSER | {"Accept-Language": "zh-TW,zh;q=0.9,en;q=0.8"}


class Elements(HTMLParser):
    """The elements of a page, the text of its blocks, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.blocks: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "pre":
            self.blocks.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "pre" and self.blocks and not self.blocks[-1]:
            self.blocks[-1] = data

    @property
    def links(self) -> list[str]:
        return [value or "" for name, value in self.attributes if name == "href"]


async def get(path: str, headers: dict[str, str], app: Any = None, method: str = "GET") -> httpx2.Response:
    transport = httpx2.ASGITransport(app=app or shop().asgi(at="/mcp"), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, headers=headers)


@pytest.mark.anyio
async def test_a_person_is_told_what_this_is_and_how_each_client_connects() -> None:
    answer = await get("/mcp/acme/", ENGLISH)

    page = Elements(answer.text)
    server = Server.at("http://localhost/mcp/acme/", "acme")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert page.blocks[0] == server.url
    for client in Client:
        guide = clients.guide(client, server)
        assert client.label in answer.text
        for each in guide.snippets:
            assert each.text in [*page.blocks, *page.links]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "language", "words"),
    [
        (ENGLISH, "en", "Connect a client"),
        (CHINESE, "zh-hant", "連接用戶端"),
        (BROWSER, "zh-hant", "連接用戶端"),
        (BROWSER | {"Accept-Language": "fr, en;q=0.5"}, "en", "Connect a client"),
        (BROWSER | {"Accept-Language": "fr"}, "zh-hant", "連接用戶端"),
    ],
)
async def test_it_is_in_the_readers_language(headers: dict[str, str], language: str, words: str) -> None:
    answer = await get("/mcp/acme/", headers)

    assert words in answer.text
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["content-language"] == language
    assert answer.headers["vary"] == "Accept, Accept-Language"


@pytest.mark.anyio
@override_settings(LANGUAGE_CODE="fr", LANGUAGES=[("fr", "Français")])
async def test_an_installation_of_another_language_has_it_in_english() -> None:
    answer = await get("/mcp/acme/", BROWSER | {"Accept-Language": "fr"})

    assert '<html lang="en">' in answer.text
    assert "Connect a client" in answer.text


@pytest.mark.slow
def test_a_tenant_that_exists_and_one_that_does_not_have_one_page(acme: World, server: Process) -> None:
    with httpx2.Client(headers=ENGLISH) as browser:
        pages = {slug: browser.get(server.mcp(slug)) for slug in ("acme", "elsewhere")}

    varying = {"date", "content-length", "x-request-id"}
    known, unknown = (
        (
            answer.status_code,
            {name: value for name, value in answer.headers.items() if name not in varying},
            answer.text.replace(slug, "?").replace(slug.upper(), "?"),
        )
        for slug, answer in pages.items()
    )
    # The links hold the name encoded.
    cursor = re.compile(r"cursor://[^\"]+")
    assert known[:2] == unknown[:2]
    assert cursor.sub("", known[2]) == cursor.sub("", unknown[2])
    assert acme.name not in known[2]


@pytest.mark.anyio
async def test_nothing_of_the_tenants_and_no_tool_is_on_it() -> None:
    answer = await get("/mcp/acme/", ENGLISH)

    assert not any(spec.name in answer.text for spec in shop().registry().specs() if "_" in spec.name)
    assert not re.search(r"tmcpp?_", answer.text)


@pytest.mark.anyio
async def test_a_page_runs_and_loads_nothing() -> None:
    answer = await get("/mcp/acme/", ENGLISH)

    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))
    page = Elements(answer.text)
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert not {"script", "link", "img", "iframe", "form"} & {*page.tags}
    assert not any(name.startswith("on") or name in ("style", "src") for name, _ in page.attributes)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "slug", ['"><script>alert(1)<br>', "{{ url }}", "javascript:alert(1)", "a'b", "租戶", "read this", "\0", "..."]
)
async def test_a_name_is_no_more_than_a_part_of_the_address(slug: str) -> None:
    path = httpx2.URL(f"http://localhost/mcp/{''.join(f'%{byte:02X}' for byte in slug.encode())}/")

    answer = await get(str(path), ENGLISH)

    page = Elements(answer.text)
    assert answer.status_code == 200
    assert "script" not in page.tags
    assert slug not in html.unescape(answer.text) or slug in ("...", "a'b")
    assert {link.partition(":")[0] for link in page.links} == {"vscode", "cursor"}
    assert re.fullmatch(r"http://localhost/mcp/[\w.%~-]+/", page.blocks[0])


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/mcp/acme", "/mcp/acme/"])
async def test_the_address_has_its_slash_and_the_path_of_the_mount(path: str) -> None:
    mcp = MCP("own", title="Assist", description="For trials.", authenticate=anyone, apps=[])
    app = Starlette(routes=[Mount("/v1", mcp.asgi(at="/mcp"))])

    answer = await get(f"/v1{path}", ENGLISH, app)

    page = Elements(answer.text)
    assert page.blocks[0] == "http://localhost/v1/mcp/acme/"
    assert "<h1>Assist</h1>" in answer.text
    assert "For trials." in answer.text
    assert "token" not in answer.text.lower()


@pytest.mark.anyio
@override_settings(PUBLIC_URL="https://shop.example.com")
async def test_the_address_is_the_public_one() -> None:
    answer = await get("/mcp/acme/", ENGLISH)

    assert Elements(answer.text).blocks[0] == "https://shop.example.com/mcp/acme/"


@pytest.mark.anyio
async def test_the_platform_has_its_page_too() -> None:
    for path in ("/mcp", "/mcp/"):
        answer = await get(path, ENGLISH)

        assert Elements(answer.text).blocks[0] == "http://localhost/mcp/"
        assert "a name that nobody has" not in answer.text


@pytest.mark.anyio
async def test_another_host_is_refused_as_everywhere() -> None:
    answer = await get("/mcp/acme/", ENGLISH | {"Host": "evil.example"})

    assert answer.status_code == 421


@pytest.mark.anyio
async def test_a_look_at_the_headers_gets_no_body() -> None:
    answer = await get("/mcp/acme/", ENGLISH, method="HEAD")

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-security-policy"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "accept", ["text/event-stream", "*/*", "application/json", "text/html, text/event-stream", None]
)
def test_clients_get_what_they_got(accept: str | None, acme: World, server: Process, stateful_server: Process) -> None:
    for process in (server, stateful_server):
        with httpx2.Client() as client:
            request = client.build_request("GET", process.mcp("acme"))
            request.headers.pop("accept", None)
            if accept is not None:
                request.headers["accept"] = accept
            answer = client.send(request)

        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.slow
def test_a_message_is_never_answered_with_a_page(acme: World, server: Process) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    with httpx2.Client() as client:
        posted = client.post(server.mcp("acme"), json=message, headers=ENGLISH)
        deleted = client.delete(server.mcp("acme"), headers=ENGLISH)

    assert [posted.status_code, deleted.status_code] == [401, 401]
