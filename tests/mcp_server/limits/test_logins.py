"""Addresses that fail to say who they are have to wait, and those beside them don't."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx2
import pytest

from mcp_server.limits import logins
from mcp_server.limits.logins import FailedLogins, address_of
from mcp_server.limits.meters import Meter
from mcp_server.limits.rules import rates
from mcp_server.limits.stores import Store
from tests.mcp_server.limits.test_limits import limited, post
from tests.support.processes import Process, serving
from tests.support.world import World

OFFICE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def statuses(world: World, tries: list[tuple[str, str]], **limits: str) -> list[int]:
    """The statuses of the answers to calls from these addresses with these tokens."""
    app = limited(**limits).asgi(at="/mcp")

    async def story() -> list[int]:
        async with app.router.lifespan_context(app):
            found = []
            for address, token in tries:
                transport = httpx2.ASGITransport(app=app, client=(address, 1))
                async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
                    found.append((await post(client, token, tenant=world.subdomain)).status_code)
            return found

    return asyncio.run(story())


def scope(address: str, token: str = "") -> dict[str, object]:
    headers = [(b"authorization", token.encode())] if token else []
    return {"client": (address, 1), "headers": headers, "path_params": {"tenant": "acme"}}


def test_an_address_that_fails_too_often_is_not_looked_at_for_a_while(acme: World) -> None:
    tries = [*[(OFFICE, "tmcp_invented")] * 4, (OFFICE, acme.token), (ELSEWHERE, acme.token)]

    assert statuses(acme, tries, failed_logins="3/hour") == [401, 401, 401, 401, 429, 200]


def test_who_was_let_in_before_is_let_in_beside_a_client_that_fails(acme: World) -> None:
    tries = [(OFFICE, acme.token), *[(OFFICE, "tmcp_invented")] * 5, (OFFICE, acme.token)]

    assert statuses(acme, tries, failed_logins="3/hour") == [200, 401, 401, 401, 401, 429, 200]


def test_a_malformed_header_is_no_failure(acme: World) -> None:
    tries = [*[(OFFICE, "two words")] * 5, (OFFICE, acme.token)]

    assert statuses(acme, tries, failed_logins="1/hour") == [*[400] * 5, 200]


@pytest.mark.anyio
async def test_the_refusal_says_when_and_with_what(acme: World) -> None:
    app = limited(failed_logins="1/hour").asgi(at="/mcp")

    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answers = [await post(client, "tmcp_invented", tenant=each) for each in ("acme", "nobody", "acme")]
            refused = answers[-1]

    assert refused.status_code == 429
    assert refused.json()["error"] == "too_many_failed_logins"
    assert f"after {refused.headers['retry-after']} seconds, with a token" in refused.json()["error_description"]


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("testclient", "testclient"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_an_address_is_that_of_a_site(address: str, key: str) -> None:
    assert address_of({"client": (address, 1)}) == key


def test_a_client_without_an_address_is_one(acme: World) -> None:
    assert address_of({"client": None}) == address_of({}) == ""


@pytest.mark.anyio
async def test_a_thousand_addresses_are_told_apart_and_the_others_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "MAX_ADDRESSES", 3)
    now = [0.0]
    meter = Meter("login", rates("1/hour"), Store(), lambda: now[0])
    failed = FailedLogins(meter, lambda: now[0])

    for number in range(50):
        await failed.failed(scope(f"192.0.2.{number}"))
    assert len(meter) == 4
    assert failed.seconds_refused(scope("192.0.2.77")) > 0

    now[0] += 7_300  # both windows are over
    assert failed.seconds_refused(scope("192.0.2.77")) == 0
    await failed.failed(scope("192.0.2.78"))
    assert len(meter) == 1


@pytest.mark.anyio
async def test_who_was_let_in_before_is_not_when_his_token_has_ended() -> None:
    failed = FailedLogins(Meter("login", rates("1/hour"), Store()))
    failed.let_in(scope(OFFICE, "was good"))
    for _ in range(2):
        await failed.failed(scope(OFFICE, "invented"))
    assert failed.seconds_refused(scope(OFFICE, "was good")) == 0

    await failed.failed(scope(OFFICE, "was good"))

    assert failed.seconds_refused(scope(OFFICE, "was good")) > 0


@pytest.fixture(scope="module")
def behind_a_proxy(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server whose proxy is on this machine, as uvicorn believes unless it is told otherwise."""
    with serving(tmp_path_factory.mktemp("proxied") / "log", MCP_LIMIT_FAILED_LOGINS="2/hour") as process:
        yield process


@pytest.fixture(scope="module")
def in_the_open(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that has a proxy elsewhere."""
    log = tmp_path_factory.mktemp("open") / "log"
    with serving(log, MCP_LIMIT_FAILED_LOGINS="2/hour", FORWARDED_ALLOW_IPS="192.0.2.99") as process:
        yield process


def tried(server: Process, world: World, *forwarded: str) -> list[int]:
    """The statuses of answers to calls with an invented token that seem to come from these addresses."""
    headers = {"Authorization": "Bearer tmcp_invented"}
    return [
        httpx2.post(server.mcp(world.subdomain), headers=headers | {"X-Forwarded-For": each}).status_code
        for each in forwarded
    ]


@pytest.mark.slow
def test_behind_a_proxy_that_is_trusted_the_address_is_the_clients(behind_a_proxy: Process, acme: World) -> None:
    assert tried(behind_a_proxy, acme, *["192.0.2.1"] * 4, "192.0.2.2") == [401, 401, 401, 429, 401]
    # What a client has put before what the proxy has added.
    assert tried(behind_a_proxy, acme, "192.0.2.7, 192.0.2.1", "192.0.2.8, 192.0.2.1") == [429, 429]


@pytest.mark.slow
def test_a_proxy_that_is_not_trusted_names_no_address(in_the_open: Process, acme: World) -> None:
    assert tried(in_the_open, acme, *(f"192.0.2.{number}" for number in range(5))) == [401, 401, 401, 429, 429]
