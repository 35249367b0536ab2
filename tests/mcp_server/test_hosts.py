"""Which hosts and origins may call, and what their browsers are told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from mcp_server.http import hosts
from tests.support import raw
from tests.support.processes import ERAS, Era, Process, serving
from tests.support.raw import message, post
from tests.support.world import World

pytestmark = pytest.mark.slow

PAGE = "https://app.example.com"
OTHERS = [
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.evil.example",
    "https://app.example.com@evil.example",
    "https://sub.app.example.com",
    "null",
]
CORS = "access-control-"


@pytest.fixture(scope="module")
def shared(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server whose endpoint the pages of one other origin may use."""
    log = tmp_path_factory.mktemp("shared") / "log"
    with serving(log, MCP_ALLOWED_ORIGINS=f"{PAGE},http://localhost:6274") as process:
        yield process


@pytest.fixture(scope="module")
def shared_sessions(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    log = tmp_path_factory.mktemp("shared") / "log"
    with serving(log, MCP_ALLOWED_ORIGINS=PAGE, MCP_SESSIONS="stateful") as process:
        yield process


def status(server: Process, world: World, *lines: str) -> int:
    """That of a call whose head has these lines instead of Host."""
    body = json.dumps(message("tools/list")).encode()
    sent = [f"{name}: {value}" for name, value in raw.headers(world.token).items()]
    sent += [*lines, f"Accept: {raw.BOTH}", f"Content-Length: {len(body)}", "Connection: close"]
    with raw.connection(server) as opened:
        opened.sendall("\r\n".join([f"POST /mcp/{world.subdomain}/ HTTP/1.1", *sent, "", ""]).encode("latin-1") + body)
        return int(raw.until_closed(opened).split()[1])


def preflight(server: Process, origin: str, wanted: str = "authorization", **more: str) -> httpx2.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted}
    return httpx2.options(server.mcp("acme"), headers=asked | more)


def told(answer: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith(CORS)}


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8103", "localhost", "localhost:1", "LOCALHOST", "localhost.", "[::1]", "[::1]:8000"],
)
def test_a_host_of_ours(host: str, server: Process, acme: World) -> None:
    assert status(server, acme, f"Host: {host}") == 200


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: 127.0.0.1:8103@evil.example"],
        ["Host: 127.0.0.1:evil.example"],
        ["Host: 127.0.0.1:80:80"],
        ["Host: 127.0.0.1:"],
        ["Host: 127.0.0.1:80/evil"],
        ["Host: 127.0.0.1.evil.example"],
        ["Host: evil.example"],
        ["Host: evil.example:127.0.0.1"],
        ["Host: localhost, evil.example"],
        ["Host: l\xf6calhost"],
        ["Host: "],
        ["Host: localhost", "Host: localhost"],
        ["Host: localhost", "Host: evil.example"],
        [],
    ],
)
def test_another_host(lines: list[str], server: Process, acme: World) -> None:
    assert status(server, acme, *lines) == 421


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8103", "http://localhost", "https://localhost:1", "http://[::1]:8000", ""]
)
def test_an_origin_of_ours(origin: str, server: Process, acme: World) -> None:
    assert status(server, acme, "Host: localhost", f"Origin: {origin}") == 200


@pytest.mark.parametrize(
    "lines",
    [
        ["Origin: http://127.0.0.1:8103@evil.example"],
        ["Origin: http://127.0.0.1:8103.evil.example"],
        ["Origin: http://127.0.0.1:80/evil"],
        ["Origin: http://localhost#evil"],
        ["Origin: http://localhost.evil.example"],
        ["Origin: ftp://localhost"],
        ["Origin: localhost"],
        ["Origin: null"],
        ["Origin: https://evil.example"],
        ["Origin: http://localhost https://evil.example"],
        ["Origin: http://localhost", "Origin: https://evil.example"],
    ],
)
def test_another_origin(lines: list[str], server: Process, acme: World) -> None:
    assert status(server, acme, "Host: localhost", *lines) == 403


def test_a_foreign_host_at_the_older_stream_is_no_crash(stateful_server: Process, acme: World) -> None:
    start = len(raw.log_lines(stateful_server))

    for more in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        answer = httpx2.get(stateful_server.mcp("acme") + "sse", headers=raw.headers(acme.token) | more)
        assert answer.status_code in (421, 403)

    assert not [line for line in raw.log_lines(stateful_server)[start:] if line["level"] == "ERROR"]


@pytest.mark.parametrize("origin", [PAGE, *OTHERS, "http://localhost"])
def test_nothing_is_shared_by_default(origin: str, server: Process, acme: World) -> None:
    answers = [preflight(server, origin), post(server, acme, message("tools/list"), Origin=origin)]

    assert [told(answer) for answer in answers] == [{}, {}]
    assert answers[0].status_code in (401, 403)


@pytest.mark.parametrize(
    "wanted",
    [
        "authorization",
        "authorization,content-type,mcp-protocol-version",
        "Authorization, Content-Type, Mcp-Session-Id, Mcp-Method, Mcp-Name, Mcp-Param-Region",
        "accept, accept-language, last-event-id",
    ],
)
def test_a_page_asks_before_it_calls(wanted: str, shared: Process, acme: World) -> None:
    answer = preflight(shared, PAGE, wanted)

    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert {name.strip().lower() for name in wanted.split(",")} <= allowed
    assert {"POST", "GET", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert "access-control-allow-credentials" not in answer.headers
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("wanted", ["x-evil", "cookie", "authorization, x-mcp-evil"])
def test_a_page_may_not_send_everything(wanted: str, shared: Process, acme: World) -> None:
    assert preflight(shared, PAGE, wanted).status_code == 400


def test_a_page_in_front_of_this_machine(shared: Process, acme: World) -> None:
    answer = preflight(shared, PAGE, **{"Access-Control-Request-Private-Network": "true"})

    assert answer.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize("era", ERAS)
def test_a_page_reads_the_answer(era: Era, shared: Process, acme: World) -> None:
    answer = post(shared, acme, message("tools/list", {}, era), era, Origin=PAGE)

    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert {"mcp-session-id", "www-authenticate", "mcp-protocol-version"} <= exposed
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", OTHERS)
def test_other_pages_are_told_nothing(origin: str, shared: Process, acme: World) -> None:
    answers = [preflight(shared, origin), post(shared, acme, message("tools/list"), Origin=origin)]

    assert [told(answer) for answer in answers] == [{}, {}]
    assert [answer.status_code for answer in answers] == [403, 403]


def test_a_page_reads_why_it_is_refused(shared: Process, acme: World) -> None:
    body = message("tools/list")
    answers = {
        401: post(shared, acme, body, Origin=PAGE, Authorization=""),
        400: post(shared, acme, b"{", Origin=PAGE),
        404: post(shared, acme, message("no/such", {}, "2026-07-28"), "2026-07-28", Origin=PAGE),
        405: httpx2.get(shared.mcp("acme"), headers=raw.headers(acme.token) | {"Origin": PAGE}),
        406: post(shared, acme, body, accept="text/html", Origin=PAGE),
        413: post(shared, acme, b" " * 300_000, Origin=PAGE),
        421: post(shared, acme, body, Origin=PAGE, Host="evil.example"),
    }

    assert {status: answer.status_code for status, answer in answers.items()} == {each: each for each in answers}
    assert {answer.headers.get("access-control-allow-origin") for answer in answers.values()} == {PAGE}
    assert "WWW-Authenticate" in answers[401].headers["access-control-expose-headers"]
    assert answers[401].headers["www-authenticate"].startswith("Bearer ")


def test_a_page_opens_a_session_and_its_streams(shared_sessions: Process, acme: World) -> None:
    opened = post(shared_sessions, acme, message("initialize", raw.INITIALIZE), Origin=PAGE)
    sent = raw.headers(acme.token) | {"Origin": PAGE, "Mcp-Session-Id": opened.headers["mcp-session-id"]}

    for url in (shared_sessions.mcp("acme"), shared_sessions.mcp("acme") + "sse"):
        with httpx2.stream("GET", url, headers=sent) as stream:
            assert stream.status_code == 200
            assert stream.headers["access-control-allow-origin"] == PAGE
    ended = httpx2.delete(shared_sessions.mcp("acme"), headers=sent)

    assert (opened.status_code, ended.status_code) == (200, 200)
    assert {each.headers["access-control-allow-origin"] for each in (opened, ended)} == {PAGE}


@pytest.mark.parametrize("path", ["/", "/healthz", "/t/acme/api/info", "/admin/login/", "/mcpx"])
def test_the_rest_of_the_server_is_shared_with_nobody(path: str, shared: Process, acme: World) -> None:
    answer = httpx2.get(shared.url + path, headers={"Origin": PAGE, "Authorization": f"Bearer {acme.token}"})

    assert told(answer) == {}


@pytest.mark.parametrize(
    "origin",
    ["*", "app.example.com", "https://app.example.com/", "https://*.example.com", "https://", "null", "a://b c/d"],
)
def test_what_is_no_origin_is_said_at_start(origin: str) -> None:
    with override_settings(MCP_ALLOWED_ORIGINS=[origin]), pytest.raises(ImproperlyConfigured, match="is no origin"):
        hosts.allowed_origins()
