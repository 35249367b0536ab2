"""`resources/subscribe` of the older protocols, through the official client: over a session, an SSE pair and stdio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import psycopg
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPError
from mcp_types import METHOD_NOT_FOUND, ResourceUpdatedNotification

from core.scopes import Scope
from tests.mcp_server.test_resources import narrow
from tests.mcp_server.test_subscriptions import LISTENERS, ORDERS, PRODUCTS, REVOKE, SOON, SUSPEND, until_none_listens
from tests.support import raw
from tests.support.processes import Process, connected, connected_over_stdio
from tests.support.raw import message, post
from tests.support.world import World

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")]

ANVIL, ORDER = "product://A-1", "order://1"
NOT_FOUND = -32002


class Told:
    """What a client is told has changed."""

    def __init__(self) -> None:
        self.uris: asyncio.Queue[str] = asyncio.Queue()

    async def hear(self, said: Any) -> None:
        if isinstance(said, ResourceUpdatedNotification):
            self.uris.put_nowait(str(said.params.uri))

    async def next(self) -> str:
        return await asyncio.wait_for(self.uris.get(), SOON)


def in_session(server: Process, world: World, told: Told, token: str = "") -> AbstractAsyncContextManager[Client]:
    english = {"Accept-Language": "en"}
    return connected(server.mcp(world.subdomain), token or world.token, "legacy", english, message_handler=told.hear)


@asynccontextmanager
async def over_sse(server: Process, world: World, told: Told) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {world.token}"}
    transport = sse_client(f"{server.mcp(world.subdomain)}sse", headers=headers)
    async with Client(transport, mode="legacy", message_handler=told.hear) as client:
        yield client


def over_stdio(server: Process, world: World, told: Told) -> AbstractAsyncContextManager[Client]:
    return connected_over_stdio(world.subdomain, "legacy", message_handler=told.hear)


@pytest.mark.parametrize("way", [in_session, over_sse, over_stdio])
def test_what_is_subscribed_to_is_told_until_it_is_no_more(
    way: Callable[..., AbstractAsyncContextManager[Client]],
    stateful_server: Process,
    acme: World,
    globex: World,
    admin: psycopg.Connection,
) -> None:
    async def story() -> list[str]:
        told = Told()
        async with way(stateful_server, acme, told) as client:
            assert client.server_capabilities.resources.subscribe
            await client.subscribe_resource(ANVIL)
            await client.subscribe_resource(ORDER)
            admin.execute(PRODUCTS, [globex.id])
            admin.execute(PRODUCTS, [acme.id])
            first = await told.next()
            await client.unsubscribe_resource(ANVIL)
            await client.unsubscribe_resource("product://never")
            admin.execute(PRODUCTS, [acme.id])
            admin.execute(ORDERS, [acme.id])
            return [first, await told.next()]

    assert asyncio.run(story()) == [ANVIL, ORDER]


def test_who_has_left_everything_may_begin_again(
    stateful_server: Process, acme: World, admin: psycopg.Connection
) -> None:
    async def story() -> list[str]:
        told, heard = Told(), []
        async with in_session(stateful_server, acme, told) as client:
            for _ in range(3):
                await client.subscribe_resource(ANVIL)
                admin.execute(PRODUCTS, [acme.id])
                heard.append(await told.next())
                await client.unsubscribe_resource(ANVIL)
        return heard

    assert asyncio.run(story()) == [ANVIL] * 3


def test_messages_at_once_are_all_kept(stateful_server: Process, acme: World, admin: psycopg.Connection) -> None:
    async def story() -> set[str]:
        told = Told()
        async with in_session(stateful_server, acme, told) as client:
            wanted = ["product://never", ANVIL, ORDER, "file:///etc/passwd"]
            answers = await asyncio.gather(*map(client.subscribe_resource, wanted), return_exceptions=True)
            assert [isinstance(each, MCPError) for each in answers] == [True, False, False, True]
            admin.execute(PRODUCTS, [acme.id])
            admin.execute(ORDERS, [acme.id])
            return {await told.next(), await told.next()}

    assert asyncio.run(story()) == {ANVIL, ORDER}


@pytest.mark.parametrize("uri", ["product://G-1", "tenant://schema", "file:///etc/passwd"])
def test_only_what_the_tenant_has_can_be_watched(uri: str, stateful_server: Process, acme: World) -> None:
    async def story() -> int:
        async with in_session(stateful_server, acme, Told()) as client:
            with pytest.raises(MCPError, match=r"There is no resource .* that can be watched") as refusal:
                await client.subscribe_resource(uri)
            return refusal.value.code

    assert asyncio.run(story()) == NOT_FOUND


def test_only_what_the_token_may_read_can_be_watched(stateful_server: Process, acme: World) -> None:
    token = narrow(acme, Scope.ORDERS_READ)

    async def story() -> int:
        async with in_session(stateful_server, acme, Told(), token) as client:
            await client.subscribe_resource(ORDER)
            with pytest.raises(MCPError) as refusal:
                await client.subscribe_resource(ANVIL)
            return refusal.value.code

    assert asyncio.run(story()) == NOT_FOUND


@pytest.mark.parametrize("end", [REVOKE, SUSPEND])
def test_who_may_act_no_more_is_told_nothing(
    end: str, stateful_server: Process, acme: World, admin: psycopg.Connection
) -> None:
    async def story() -> bool:
        told = Told()
        async with in_session(stateful_server, acme, told) as client:
            await client.subscribe_resource(ANVIL)
            admin.execute(PRODUCTS, [acme.id])
            assert await told.next() == ANVIL
            admin.execute(end, [acme.id])
            admin.execute(PRODUCTS, [acme.id])
            await asyncio.to_thread(until_none_listens, admin, stateful_server)
            return told.uris.empty()

    assert asyncio.run(story())


def test_with_its_session_a_subscription_ends(stateful_server: Process, acme: World, admin: psycopg.Connection) -> None:
    async def story() -> None:
        async with in_session(stateful_server, acme, Told()) as client:
            await client.subscribe_resource(ANVIL)
            assert admin.execute(LISTENERS, [stateful_server.name]).fetchall()
        await asyncio.to_thread(until_none_listens, admin, stateful_server)

    asyncio.run(story())


@pytest.mark.parametrize("method", ["resources/subscribe", "resources/unsubscribe"])
def test_without_a_connection_that_lasts_there_is_nothing_to_subscribe_with(
    method: str, server: Process, acme: World
) -> None:
    answer = raw.result(post(server, acme, message(method, {"uri": ANVIL})))

    assert answer["error"]["code"] == METHOD_NOT_FOUND
