"""Cases 26-30: the MCP endpoint, with real processes and the official client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import psycopg
import pytest
from django.conf import settings
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from core.models import Product
from core.services import search, tenants
from rls import tenant_context
from tests.support.held import until_principals_are_forgotten
from tests.support.processes import (
    ERAS,
    Era,
    Process,
    connected,
    connected_over_sse,
    connected_over_stdio,
)
from tests.support.world import World, working

pytestmark = pytest.mark.slow

CALLS = 50


def says(result: Any) -> str:
    """The text of a tool's answer."""
    assert not result.is_error, result
    return str(result.content[0].text)


async def call_many(client: Client, world: World) -> set[str]:
    """What `CALLS` calls of sync and async tools show."""
    seen = set()
    for number in range(CALLS):
        tool = ("shop_names", "shop_names_async")[number % 2]
        seen.add(says(await client.call_tool(tool, {})))
    return seen


async def together(*running: Awaitable[Any]) -> list[Any]:
    """The results of all; the first error is raised when every one has ended, so that none is cut off in its middle."""
    results = await asyncio.gather(*running, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


async def interleave(*callers: tuple[AbstractAsyncContextManager[Client], World]) -> None:
    """Every caller at once: each sees its own tenant only."""

    async def run(connecting: AbstractAsyncContextManager[Client], world: World) -> None:
        async with connecting as client:
            assert await call_many(client, world) == {f"{world.name} anvil"}

    await together(*(run(*caller) for caller in callers))


def test_two_hundred_interleaved_calls_of_both_eras(server: Process, acme: World, globex: World) -> None:
    asyncio.run(
        interleave(
            *((connected(server.mcp(w.subdomain), w.token, era), w) for w in (acme, globex) for era in ERAS),
        )
    )


def test_sessions_and_sse_keep_tenants_apart(stateful_server: Process, acme: World, globex: World) -> None:
    at = stateful_server.mcp
    asyncio.run(
        interleave(
            (connected(at("acme"), acme.token, "legacy"), acme),
            (connected(at("globex"), globex.token, "legacy"), globex),
            (connected_over_sse(at("acme"), acme.token), acme),
            (connected_over_sse(at("globex"), globex.token), globex),
        )
    )


@pytest.mark.parametrize("era", ERAS)
def test_stdio_serves_its_tenant(era: Era, acme: World, globex: World) -> None:
    asyncio.run(
        interleave((connected_over_stdio("acme", era), acme), (connected_over_stdio("globex", era), globex)),
    )


@pytest.mark.parametrize("road", [*ERAS, "sse", "stdio"])
def test_a_tool_that_raises_or_is_cancelled_leaves_nothing(
    road: Any, server: Process, stateful_server: Process, acme: World, globex: World
) -> None:
    def client_of(world: World) -> AbstractAsyncContextManager[Client]:
        if road == "stdio":
            return connected_over_stdio(world.subdomain)
        if road == "sse":
            return connected_over_sse(stateful_server.mcp(world.subdomain), world.token)
        return connected(server.mcp(world.subdomain), world.token, road)

    async def disturb(client: Client) -> None:
        for _ in range(5):
            assert (await client.call_tool("shop_crash", {})).is_error
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.call_tool("shop_slow", {"seconds": 0.5}), 0.05)

    async def story() -> None:
        async with client_of(acme) as first, client_of(acme) as second, client_of(globex) as other:
            seen = await together(disturb(first), call_many(second, acme), call_many(other, globex))
            assert seen[1:] == [{"Acme anvil"}, {"Globex anvil"}]
            assert says(await first.call_tool("shop_names", {})) == "Acme anvil"

    asyncio.run(story())


def test_a_client_that_hangs_up_leaves_nothing(server: Process, acme: World, globex: World) -> None:
    slow = CALL | {"params": {"name": "shop_slow", "arguments": {"seconds": 0.5}}}
    for _ in range(5):
        with http(acme.token) as client, pytest.raises(httpx2.ReadTimeout):
            client.post(server.mcp("acme"), json=slow, timeout=0.1)
        with http(globex.token) as client:
            assert "Globex anvil" in client.post(server.mcp("globex"), json=CALL).text


@pytest.mark.parametrize("era", ERAS)
def test_resources_prompts_and_completions_run_in_the_context_too(
    era: Era, stateful_server: Process, acme: World, globex: World
) -> None:
    async def look(world: World) -> None:
        async with connected(stateful_server.mcp(world.subdomain), world.token, era) as client:
            for _ in range(10):
                resource = await client.read_resource("shop://names")
                template = await client.read_resource("shop://names/A-1")
                prompt = await client.get_prompt("prompt")
                completion = await client.complete(
                    PromptReference(type="ref/prompt", name="prompt"), {"name": "x", "value": ""}
                )

                own = f"{world.name} anvil"
                assert resource.contents[0].text == own
                assert template.contents[0].text == f"{own} not A-1"
                assert prompt.messages[0].content.text == own
                assert completion.completion.values == [own]

    async def story() -> None:
        await together(look(acme), look(globex))

    asyncio.run(story())


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("process", ["server", "stateful_server"])
def test_what_is_read_of_a_tenant_is_its_own(
    process: str, era: Era, request: pytest.FixtureRequest, acme: World, globex: World
) -> None:
    running: Process = request.getfixturevalue(process)
    for world in (acme, globex):
        with tenant_context(world.id):
            Product.objects.create(
                sku=f"{world.name}-2", name=f"{world.name} bell", category=world.name, price_minor=1, currency="EUR"
            )
            search.index_all(list(Product.objects.all()))

    async def look(world: World, other: World) -> None:
        async with connected(running.mcp(world.subdomain), world.token, era) as client:
            for _ in range(5):
                seen = [
                    await client.read_resource("tenant://info"),
                    await client.read_resource("product://A-1"),
                    await client.read_resource(f"product://{world.name}-2"),
                    await client.read_resource("order://1"),
                    await client.read_resource("report://sales/today"),
                    await client.get_prompt("restock_plan"),
                    await client.get_prompt("customer_follow_up"),
                    await client.get_prompt("daily_briefing"),
                    await client.get_prompt("month_end_report", {"month": "this_month"}),
                ]
                assert other.name not in str(seen)
                assert other.subdomain not in str(seen)
                with pytest.raises(MCPError):
                    await client.read_resource(f"product://{other.name}-2")

    async def story() -> None:
        await together(look(acme, globex), look(globex, acme))

    asyncio.run(story())


@pytest.mark.parametrize("era", ERAS)
def test_what_is_suggested_to_a_tenant_is_its_own(era: Era, server: Process, acme: World, globex: World) -> None:
    def template(uri: str) -> ResourceTemplateReference:
        return ResourceTemplateReference(type="ref/resource", uri=uri)

    for world in (acme, globex):
        with tenant_context(world.id):
            Product.objects.create(sku=world.name, name="Bell", category=world.name, price_minor=1, currency="EUR")
            search.index_all(list(Product.objects.all()))

    async def look(world: World) -> None:
        async with connected(server.mcp(world.subdomain), world.token, era) as client:
            for _ in range(5):
                for ref, name, own in [
                    (template("product://{sku}"), "sku", ["A-1", world.name]),
                    (template("order://{number}"), "number", ["1"]),
                    (PromptReference(type="ref/prompt", name="restock_plan"), "category", [world.name]),
                    (
                        PromptReference(type="ref/prompt", name="customer_follow_up"),
                        "customer",
                        [f"wile@{world.subdomain}.example"],
                    ),
                ]:
                    completion = await client.complete(ref, {"name": name, "value": ""})
                    assert completion.completion.values == own

    async def story() -> None:
        await together(look(acme), look(globex))

    asyncio.run(story())


@pytest.mark.parametrize("process", ["server", "stateful_server"])
def test_what_a_tenant_hears_is_its_own(
    process: str, request: pytest.FixtureRequest, acme: World, globex: World, admin: psycopg.Connection
) -> None:
    running: Process = request.getfixturevalue(process)
    changed = "UPDATE core_product SET stock = stock + 1 WHERE tenant_id = %s AND sku = 'A-1'"
    wanted = ["product://A-1", "product://Globex-2", "order://1", "tenant://info", "report://sales/today"]
    admin.execute(
        "UPDATE core_product SET sku = 'Globex-2' WHERE tenant_id = %s",
        [globex.id],
    )

    async def story() -> None:
        async with (
            connected(running.mcp("acme"), acme.token) as client,
            connected(running.mcp("globex"), globex.token) as other,
            client.listen(resource_subscriptions=wanted) as own,
            other.listen(resource_subscriptions=wanted) as others,
        ):
            assert "product://Globex-2" not in own.honored.resource_subscriptions
            assert "product://A-1" not in others.honored.resource_subscriptions
            # Notifications come in the order of their commits: what comes first shows that nothing came before.
            for statement in (
                "core_product SET stock = 9",
                "core_order SET note = 'x'",
                "core_tenantsettings SET id = id",
            ):
                admin.execute(f"UPDATE {statement} WHERE tenant_id = %s", [globex.id])
            admin.execute(changed, [acme.id])
            assert (await asyncio.wait_for(anext(own), 20)).uri == "product://A-1"
            heard = {(await asyncio.wait_for(anext(others), 20)).uri for _ in range(4)}
            assert heard == {"product://Globex-2", "order://1", "report://sales/today", "tenant://info"}

    asyncio.run(story())


def test_nothing_can_be_watched_but_what_is_declared(stateful_server: Process, acme: World) -> None:
    async def story() -> Any:
        async with connected(stateful_server.mcp("acme"), acme.token) as client:
            async with client.listen(resource_subscriptions=["shop://names"], resources_list_changed=True) as stream:
                return stream.honored.model_dump(exclude_none=True)

    assert asyncio.run(story()) == {}


MODERN = {"MCP-Protocol-Version": "2026-07-28"}
META = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    }
}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "tests", "version": "1"},
    },
}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "shop_names", "arguments": {}}}


def http(token: str = "") -> httpx2.Client:
    """A plain HTTP client, for what the official one would not send."""
    headers = {"Accept": "application/json, text/event-stream"}
    return httpx2.Client(headers=headers | ({"Authorization": f"Bearer {token}"} if token else {}), timeout=300)


def refusal(server: Process, tenant: str, token: str) -> tuple[int, str, list[tuple[str, str]]]:
    """The answer to a call, in every byte but the time."""
    with http(token) as client:
        answer = client.post(server.mcp(tenant), json=CALL)
    own = {"date", "x-request-id"}  # two answers differ in these
    return answer.status_code, answer.text, [item for item in answer.headers.multi_items() if item[0] not in own]


def test_every_refusal_is_the_same(server: Process, acme: World, globex: World) -> None:
    with working():
        tenants.create(subdomain="asleep", name="Asleep")
        tenants.set_active("asleep", active=False)

    with_a_token = [refusal(server, tenant, acme.token) for tenant in ("globex", "nobody", "asleep", "", "ACME")]
    with_a_token.append(refusal(server, "globex", "tmcp_invented"))
    with_none = [refusal(server, tenant, "") for tenant in ("globex", "nobody", "asleep", "", "ACME")]

    for answers in (with_a_token, with_none):
        assert answers == [answers[0]] * len(answers)
        assert answers[0][0] == 401
    assert with_a_token != with_none


def test_suspending_shuts_the_door_within_a_second(server: Process, acme: World) -> None:
    with http(acme.token) as client:
        before = client.post(server.mcp("acme"), json=CALL).status_code
        with working():
            tenants.set_active("acme", active=False)
        until_principals_are_forgotten()
        after = client.post(server.mcp("acme"), json=CALL).status_code

    assert (before, after) == (200, 401)


def open_session(server: Process, world: World) -> str:
    with http(world.token) as client:
        return client.post(server.mcp(world.subdomain), json=INITIALIZE).headers["mcp-session-id"]


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_session_of_another_tenant_is_an_unknown_session(
    method: str, stateful_server: Process, acme: World, globex: World
) -> None:
    session = open_session(stateful_server, acme)
    answers = []

    for world, used in [(globex, session), (globex, "0" * 32)]:
        with http(world.token) as client:
            answer = client.request(method, stateful_server.mcp("globex"), json=CALL, headers={"Mcp-Session-Id": used})
        answers.append((answer.status_code, answer.text))
    with http(acme.token) as client:
        crossed = client.request(method, stateful_server.mcp("globex"), json=CALL, headers={"Mcp-Session-Id": session})
        own = client.post(stateful_server.mcp("acme"), json=CALL, headers={"Mcp-Session-Id": session})

    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    assert crossed.status_code == 401
    assert own.status_code == 200


def test_an_sse_message_for_another_tenants_session_is_refused(
    stateful_server: Process, acme: World, globex: World
) -> None:
    async def story() -> tuple[list[tuple[int, str]], str]:
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {acme.token}"}, timeout=300) as client:
            async with client.stream("GET", stateful_server.mcp("acme") + "sse") as stream:
                lines = stream.aiter_lines()
                path = await first_data(lines)
                at_globex = path.replace("/mcp/acme/", "/mcp/globex/")
                answers = []
                for token, url in [
                    (globex.token, at_globex),
                    (globex.token, at_globex.partition("=")[0] + "=" + "0" * 32),
                    (acme.token, at_globex),
                    (globex.token, path),
                    (globex.token, path.replace("/mcp/acme/", "/mcp/nobody/")),
                ]:
                    headers = {"Authorization": f"Bearer {token}"}
                    answer = await client.post(stateful_server.url + url, json=INITIALIZE, headers=headers)
                    answers.append((answer.status_code, answer.text))
                # The first thing that arrives on the stream is the answer to its owner's own message.
                await client.post(stateful_server.url + path, json=INITIALIZE | {"id": 77})
                return answers, await first_data(lines)

    (other, unknown, *without_right), arrived = asyncio.run(story())

    assert other == unknown
    assert other[0] == 404
    assert {status for status, _ in without_right} == {401}
    assert len(set(without_right)) == 1
    assert json.loads(arrived)["id"] == 77


async def first_data(lines: AsyncIterator[str]) -> str:
    async for line in lines:
        if line.startswith("data: "):
            return line.removeprefix("data: ")
    raise AssertionError("the stream ended")


@pytest.mark.parametrize("argument", ["tenant_id", "tenant", "subdomain", "anything"])
def test_an_argument_that_no_schema_names_is_refused_in_words(
    argument: str, server: Process, acme: World, globex: World
) -> None:
    async def story() -> Any:
        async with connected(server.mcp("acme"), acme.token) as client:
            return await client.call_tool("get_tenant_users", {argument: "globex"})

    result = asyncio.run(story())

    assert result.is_error
    assert f"get_tenant_users does not take '{argument}'" in result.content[0].text
    assert "Its arguments are: limit, cursor." in result.content[0].text


@pytest.mark.parametrize("argument", ["tenant_id", "tenant", "subdomain", "tenant_slug"])
@pytest.mark.parametrize("name", ["get_tenant_info", "get_product_stats", "get_comprehensive_tenant_stats"])
def test_a_tenant_given_to_a_tool_that_takes_nothing_has_no_effect(
    name: str, argument: str, server: Process, acme: World, globex: World
) -> None:
    async def story() -> list[Any]:
        async with connected(server.mcp("acme"), acme.token) as client:
            return [
                await client.call_tool(name, given) for given in ({}, {argument: "globex"}, {argument: globex.id.hex})
            ]

    without, *others = asyncio.run(story())

    for other in others:
        assert not other.is_error
        assert told(other) == told(without)
        assert "lobex" not in other.content[0].text


def told(result: Any) -> dict[str, Any]:
    """What an answer says, but for when it was asked."""
    return {name: value for name, value in result.structured_content.items() if name != "as_of"}


def ask(server: Process, world: World, state: str | None) -> dict[str, Any]:
    """One round of the prompt that asks back, in the era that carries its state with the client."""
    params = {"name": "ask", **META}
    if state is not None:
        params |= {
            "requestState": state,
            "inputResponses": {"sure": {"action": "accept", "content": {"sure": True}}},
        }
    body = {"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": params}
    headers = MODERN | {"Mcp-Method": "prompts/get", "Mcp-Name": "ask"}
    with http(world.token) as client:
        answer = client.post(server.mcp(world.subdomain), json=body, headers=headers)
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return dict(json.loads(lines[-1] if lines else answer.text))


def test_state_that_was_sealed_for_one_tenant_opens_for_no_other(
    stateful_server: Process, acme: World, globex: World
) -> None:
    state = ask(stateful_server, acme, None)["result"]["requestState"]

    own = ask(stateful_server, acme, state)
    other = ask(stateful_server, globex, state)

    assert "Acme" not in state
    assert own["result"]["messages"][0]["content"]["text"] == "Acme anvil / Acme anvil"
    assert "error" in other
    assert "Acme" not in json.dumps(other)


def test_hostile_sql_in_a_tool_gets_nothing(server: Process, acme: World, globex: World) -> None:
    async def story() -> None:
        async with (
            connected(server.mcp("acme"), acme.token) as client,
            connected(server.mcp("globex"), globex.token) as other,
        ):
            for statement in [
                f"SET app.current_tenant = '{globex.id}'",
                f"SELECT 1; SET app.current_tenant = '{globex.id}'; SELECT name FROM core_product",
                "DECLARE stolen CURSOR WITH HOLD FOR SELECT name FROM core_product",
                "SELECT name FROM core_product",
            ] * 5:
                result = await client.call_tool("shop_raw", {"statement": statement})
                assert "Globex" not in result.content[0].text
                assert says(await other.call_tool("shop_names", {})) == "Globex anvil"

    asyncio.run(story())


def test_five_hundred_calls_leave_no_connection_behind(
    server: Process, acme: World, globex: World, admin: psycopg.Connection
) -> None:
    async def calls(world: World) -> None:
        async with connected(server.mcp(world.subdomain), world.token) as client:
            names = ("shop_names", "shop_names_async", "shop_crash")
            await asyncio.gather(*(client.call_tool(names[n % 3], {}) for n in range(250)))

    async def story() -> None:
        await asyncio.gather(calls(acme), calls(globex))

    asyncio.run(story())

    states = [state for (state,) in admin.execute(SESSIONS, [server.name])]
    assert set(states) == {"idle"}
    assert len(states) <= settings.DATABASE_POOL_SIZE


SESSIONS = "SELECT state FROM pg_stat_activity WHERE application_name = %s AND usename = 'app_tenant'"


@pytest.mark.parametrize("process", ["server", "stateful_server"])
def test_calls_work_after_the_database_has_gone_away(
    process: str, request: pytest.FixtureRequest, acme: World, admin: psycopg.Connection
) -> None:
    running: Process = request.getfixturevalue(process)

    async def story() -> list[str]:
        async with connected(running.mcp("acme"), acme.token, "legacy") as client:
            await asyncio.gather(*(client.call_tool("shop_slow", {"seconds": 0.1}) for _ in range(6)))
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
                [running.name],
            )
            return [says(await client.call_tool("shop_names", {})) for _ in range(6)]

    assert asyncio.run(story()) == ["Acme anvil"] * 6
