"""What is taken from tenants and callers, and what they are told of the rest."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Self

import httpx2
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation

from core.scopes import Scope
from mcp_server import MCP, Limits, anyone, by_token
from mcp_server.http.authentication import Authenticate
from mcp_server.http.limited import LIMIT_EXCEEDED
from mcp_server.limits import words
from mcp_server.tokens import tokens
from tests.mcp_server.test_app import asked
from tests.support import raw
from tests.support.processes import ERAS, Era
from tests.support.world import World, working

NONE = {"tenant": "", "principal": "", "failed_logins": "", "at_once": 0}


class Refusals(logging.Handler):
    """Within the block, `begun` is set when the log says that a limit is reached."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.begun.set()

    def __enter__(self) -> Self:
        logging.getLogger("mcp_server.limits.gate").addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger("mcp_server.limits.gate").removeHandler(self)


class Held:
    """Calls that wait until they are let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.go = threading.Event()

    async def until(self, count: int) -> None:
        """Return when so many calls wait."""
        for _ in range(count):
            await self.begun.acquire()


def limited(authenticate: Authenticate = by_token, held: Held | None = None, **limits: Any) -> MCP:
    """A server with these limits and no other, whose tools answer at once, or when they are let go."""
    mcp = MCP("limited", apps=[], authenticate=authenticate, limits=Limits(**NONE | limits))

    @mcp.tool(scope=None, read_only=True)
    def hello() -> str:
        """Answers at once."""
        return "Hello."

    @mcp.tool(scope=None, read_only=True)
    async def waits() -> str:
        """Answers when it is let go."""
        assert held is not None
        held.begun.release()
        await asyncio.to_thread(held.go.wait, 120)
        return "At last."

    return mcp


async def post(
    client: httpx2.AsyncClient,
    token: str,
    method: str = "tools/call",
    era: Era = "2026-07-28",
    tenant: str = "acme",
    name: str = "hello",
    **headers: str,
) -> httpx2.Response:
    """The answer to one request."""
    params = {"name": name, "arguments": {}} if method == "tools/call" else {}
    sent = raw.headers(token, era, method, name if method == "tools/call" else None)
    if not token:
        del sent["Authorization"]
    return await client.post(
        f"/mcp/{tenant}/", json=raw.message(method, params, era), headers=sent | {"Accept": raw.BOTH} | headers
    )


def told(answer: httpx2.Response) -> str:
    """The words of an answer: of a tool's result, or of an error."""
    message = answer.json()
    return str(message["error"]["message"] if "error" in message else message["result"]["content"][0]["text"])


def run(mcp: MCP, story: Callable[[httpx2.AsyncClient], Awaitable[Any]]) -> Any:
    return asked(mcp.asgi(at="/mcp"), story)


def second_token(world: World) -> str:
    with working():
        return tokens.create(name="second", slug=world.subdomain, scopes=Scope)


@pytest.mark.parametrize("era", ERAS)
def test_a_tool_call_that_is_too_much_is_a_result_in_words(era: Era, acme: World) -> None:
    async def story(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        return [await post(client, acme.token, era=era) for _ in range(4)]

    *taken, refused = run(limited(principal="3/hour"), story)

    assert [told(each) for each in taken] == ["Hello."] * 3
    assert refused.status_code == 200
    assert refused.json()["id"] == 1
    assert refused.json()["result"]["isError"] is True
    assert told(refused).startswith(
        "You may send 3 messages in 60 minutes, and have sent them. Nothing was done. Call again after "
    )
    assert int(refused.headers["retry-after"]) > 0
    assert {each.headers.get("retry-after") for each in taken} == {None}


@pytest.mark.parametrize(("era", "status"), [("legacy", 200), ("2026-07-28", 429)])
def test_another_request_gets_an_error_of_json_rpc(era: Era, status: int, acme: World) -> None:
    async def story(client: httpx2.AsyncClient) -> httpx2.Response:
        await post(client, acme.token, era=era)
        return await post(client, acme.token, "tools/list", era)

    refused = run(limited(principal="1/hour"), story)

    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (status, LIMIT_EXCEEDED)
    assert error["data"] == {"retryAfter": int(refused.headers["retry-after"])}


def test_what_is_no_request_gets_429(acme: World) -> None:
    async def story(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        await post(client, acme.token)
        headers = raw.headers(acme.token) | {"Accept": raw.BOTH}
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        return [
            await client.post("/mcp/acme/", json=note, headers=headers),
            await client.post("/mcp/acme/", json={"jsonrpc": "2.0", "id": 7, "result": {}}, headers=headers),
            await client.get("/mcp/acme/", headers=headers),
        ]

    for refused in run(limited(principal="1/hour"), story):
        assert refused.status_code == 429
        assert refused.json()["id"] is None
        assert int(refused.headers["retry-after"]) > 0


def test_the_words_are_in_the_callers_language(acme: World) -> None:
    async def story(client: httpx2.AsyncClient) -> httpx2.Response:
        await post(client, acme.token)
        return await post(client, acme.token, **{"Accept-Language": "zh-TW"})

    assert "您在 60 分鐘內最多可傳送 1 則訊息" in told(run(limited(principal="1/hour"), story))


def test_a_caller_that_is_too_loud_takes_nothing_from_the_others_of_its_tenant(acme: World) -> None:
    other = second_token(acme)

    async def story(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        loud = [await post(client, acme.token) for _ in range(10)]
        return [loud[-1], *[await post(client, other) for _ in range(2)]]

    loud, *others = run(limited(principal="2/hour", tenant="4/hour"), story)

    assert "You may send 2 messages" in told(loud)
    assert [told(each) for each in others] == ["Hello."] * 2


def test_the_callers_of_a_tenant_share_its_limit_and_no_other_tenants(acme: World, globex: World) -> None:
    other = second_token(acme)

    async def story(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        await post(client, acme.token)
        await post(client, other)
        return [await post(client, other), await post(client, globex.token, tenant="globex")]

    of_acme, of_globex = run(limited(tenant="2/hour"), story)

    assert told(of_acme).startswith("All callers of acme together may send 2 messages in 60 minutes")
    assert told(of_globex) == "Hello."


@pytest.mark.anyio
async def test_where_nobody_says_who_calls_the_address_tells_callers_apart(acme: World) -> None:
    app = limited(anyone, principal="1/hour").asgi(at="/mcp")

    async with app.router.lifespan_context(app):
        found = []
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            transport = httpx2.ASGITransport(app=app, client=(address, 1))
            async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
                found.append(told(await post(client, "")))
        first, second, again = found

    assert (first, second) == ("Hello.", "Hello.")
    assert "You may send 1 messages" in again


def test_a_tenant_whose_places_are_all_taken_waits_and_another_does_not(acme: World, globex: World) -> None:
    held = Held()

    async def story(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        waiting = [asyncio.create_task(post(client, acme.token, name="waits")) for _ in range(2)]
        await held.until(2)
        refused = await post(client, acme.token)
        other = await post(client, globex.token, tenant="globex")
        held.go.set()
        return [refused, other, *await asyncio.gather(*waiting), await post(client, acme.token)]

    refused, other, *later = run(limited(held=held, at_once=2), story)

    assert told(refused).startswith("2 calls of acme are under way, and no more are taken before one of them ends.")
    assert refused.headers["retry-after"] == "1"
    assert told(other) == "Hello."
    assert [told(each) for each in later] == ["At last.", "At last.", "Hello."]


def test_a_call_that_is_hung_up_on_gives_its_place_back(acme: World) -> None:
    held = Held()

    async def story(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        waiting = asyncio.create_task(post(client, acme.token, name="waits"))
        await held.until(1)
        refused = await post(client, acme.token)
        waiting.cancel()
        held.go.set()
        await asyncio.gather(waiting, return_exceptions=True)
        return [refused, await post(client, acme.token)]

    refused, taken = run(limited(held=held, at_once=1), story)

    assert refused.headers["retry-after"] == "1"
    assert told(taken) == "Hello."


def test_a_header_that_says_subscription_takes_a_place_all_the_same_where_the_body_is_a_call(acme: World) -> None:
    held, lie = Held(), {"Mcp-Method": "subscriptions/listen"}

    async def story(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        waiting = asyncio.create_task(post(client, acme.token, name="waits"))
        await held.until(1)
        lying = [await post(client, acme.token, era=era, **lie) for era in ERAS]
        held.go.set()
        await waiting
        return lying

    older, newer = run(limited(held=held, at_once=1), story)

    assert older.headers["retry-after"] == "1"
    assert newer.status_code == 400


@pytest.mark.parametrize(("most", "order"), [(1000, ["globex", "acme"]), (0, ["acme", "globex"])])
def test_a_refusal_is_held_and_nobody_waits_for_it_but_who_is_refused(
    most: int,
    order: list[str],
    acme: World,
    globex: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_server.http.limited.HOLD_SECONDS", 5.0)
    monkeypatch.setattr("mcp_server.http.limited.MAX_HELD", most)
    answered: list[str] = []

    async def story(client: httpx2.AsyncClient) -> None:
        async def call(world: World) -> None:
            await post(client, world.token, tenant=world.subdomain)
            answered.append(world.subdomain)

        await post(client, acme.token)
        with Refusals() as refusals:
            refused = asyncio.create_task(call(acme))
            await refusals.begun.wait()
        if not most:
            await refused
        await call(globex)
        await refused

    run(limited(principal="1/hour"), story)

    assert answered == order


def test_a_place_that_is_free_in_the_meantime_is_taken(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.http.limited.HOLD_SECONDS", 5.0)
    monkeypatch.setattr("mcp_server.limits.gate.PLACE_INTERVAL", 5.0)
    held = Held()

    async def story(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        first = asyncio.create_task(post(client, acme.token, name="waits"))
        await held.until(1)
        with Refusals() as refusals:
            second = asyncio.create_task(post(client, acme.token))
            await refusals.begun.wait()
        held.go.set()
        return [await first, await second]

    assert [told(each) for each in run(limited(held=held, at_once=1), story)] == ["At last.", "Hello."]


def test_what_is_refused_is_told_to_the_log_once(acme: World, caplog: pytest.LogCaptureFixture) -> None:
    async def story(client: httpx2.AsyncClient) -> None:
        for _ in range(5):
            await post(client, acme.token)

    run(limited(principal="1/hour"), story)

    [record] = [each for each in caplog.records if each.name == "mcp_server.limits.gate"]
    assert (record.limit, record.rule, record.tenant) == ("principal", "1 per 1 hour", "acme")  # type: ignore[attr-defined]


def test_without_limits_nothing_is_counted(acme: World) -> None:
    async def story(client: httpx2.AsyncClient) -> set[str]:
        return {told(await post(client, acme.token)) for _ in range(30)}

    assert run(limited(), story) == {"Hello."}


@pytest.mark.parametrize("rate", ["many", "5", "0/minute", "5/fortnight", "5/minute, x"])
@pytest.mark.parametrize("name", ["tenant", "principal", "failed_logins"])
def test_a_rate_that_is_none_is_told_with_what_to_write(name: str, rate: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"Limits\({name}='{rate}'\) is no rate: write it as '1200/minute"):
        Limits(**{name: rate})


def test_fewer_than_no_call_at_once_is_no_limit_that_can_be_meant() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"at_once=-1"):
        Limits(at_once=-1)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.2, "a second"),
        (1.2, "2 seconds"),
        (60, "60 seconds"),
        (121, "3 minutes"),
        (3600, "60 minutes"),
        (86400, "24 hours"),
    ],
)
def test_a_time_is_told_as_people_would(seconds: float, told: str) -> None:
    with translation.override("en"):
        assert words.duration(seconds) == told
