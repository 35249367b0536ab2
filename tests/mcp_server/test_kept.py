"""Whoever calls often is looked up once a second, and whoever may call no more is refused within one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from starlette.requests import HTTPConnection

from mcp_server import MCP
from mcp_server.http import authentication, kept
from mcp_server.http.kept import KeptPrincipals
from mcp_server.principals import Principal
from tests.mcp_server.test_app import asked, text
from tests.support.held import until
from tests.support.processes import Process
from tests.support.world import World

ACME, GLOBEX = uuid4(), uuid4()
ENDS = {
    "revoked": "UPDATE mcp_tokens_apitoken SET revoked_at = now() WHERE tenant_id = %s",
    "expired": "UPDATE mcp_tokens_apitoken SET expires_at = now() WHERE tenant_id = %s",
    "suspended": "UPDATE core_tenant SET is_active = false WHERE id = %s",
}


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Database:
    """Answers with a principal, or nothing, and counts who asks."""

    def __init__(self, tenant_id: UUID | None = ACME) -> None:
        self.asked = 0
        self.answer: Principal | None = Principal("caller", tenant_id, "acme", id="1")

    async def find(self) -> Principal | None:
        self.asked += 1
        return self.answer


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        await story()

    asyncio.run(told())


def test_a_principal_is_looked_up_once_a_second() -> None:
    clock, database = Clock(), Database()

    async def story() -> None:
        principals = KeptPrincipals(clock)
        for now in (100.0, 100.5, 100.99):
            clock.now = now
            assert await principals.get("key", database.find) is database.answer
        assert database.asked == 1

        clock.now = 101.0
        database.answer = None
        assert await principals.get("key", database.find) is None
        assert database.asked == 2

    run(story)


def test_the_second_begins_before_the_database_is_asked() -> None:
    clock, database = Clock(), Database()

    async def slow() -> Principal | None:
        found = await database.find()
        clock.now += 0.9
        return found

    async def story() -> None:
        principals = KeptPrincipals(clock)
        await principals.get("key", slow)
        clock.now += 0.1
        await principals.get("key", slow)

    run(story)

    assert database.asked == 2


def test_who_is_not_found_is_not_kept() -> None:
    database = Database()
    database.answer = None

    async def story() -> None:
        principals = KeptPrincipals(Clock())
        for number in range(3):
            await principals.get(number, database.find)
            await principals.get(number, database.find)
        assert len(principals) == 0

    run(story)

    assert database.asked == 6


def test_no_more_than_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MAX_PRINCIPALS", 3)
    database = Database()

    async def story() -> None:
        principals = KeptPrincipals(Clock())
        for number in range(10):
            await principals.get(number, database.find)
        assert len(principals) == 3
        await principals.get(9, database.find)

    run(story)

    assert database.asked == 10


@pytest.mark.parametrize(("forgotten", "asked"), [(ACME, 2), (GLOBEX, 1), (None, 2)])
def test_a_change_is_known_to_the_next_call(forgotten: UUID | None, asked: int) -> None:
    database = Database()

    async def story() -> None:
        principals = KeptPrincipals(Clock())
        await principals.get("key", database.find)
        principals.forget(forgotten)
        await principals.get("key", database.find)

    run(story)

    assert database.asked == asked


def test_what_was_found_before_a_change_is_not_kept_after_it() -> None:
    database = Database()

    async def story() -> None:
        principals = KeptPrincipals(Clock())

        async def changed_meanwhile() -> Principal | None:
            found = await database.find()
            principals.forget(ACME)
            return found

        await principals.get("key", changed_meanwhile)
        await principals.get("key", database.find)

    run(story)

    assert database.asked == 2


@pytest.mark.parametrize(("tool", "times"), [("renames", 3), ("sells", 1)])
def test_callers_are_looked_up_again_after_a_tool_that_changes_them(
    tool: str, times: int, acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "PRINCIPAL_LIFETIME", 3600.0)
    database = Database(acme.id)

    async def known(connection: HTTPConnection, slug: str) -> Principal | None:
        return await authentication.kept(connection).get("key", database.find)

    mcp = MCP("kept", apps=[], authenticate=known)

    @mcp.tool(scope=None, read_only=False, changes_callers=True)
    def renames() -> str:
        """Renames."""
        return "renamed"

    @mcp.tool(scope=None, read_only=False)
    def sells() -> str:
        """Sells."""
        return "sold"

    async def story(client: httpx2.AsyncClient) -> None:
        for _ in range(3):
            await text(client, "/mcp/acme/", tool)

    asked(mcp.asgi(), story)

    assert database.asked == times


@pytest.mark.parametrize("change", ENDS.values(), ids=ENDS)
def test_who_may_call_no_more_is_refused_within_a_second(
    server: Process, acme: World, globex: World, admin: psycopg.Connection, change: str
) -> None:
    def status(world: World) -> int:
        headers = {"Authorization": f"Bearer {world.token}", "Accept": "application/json, text/event-stream"}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        return httpx2.post(server.mcp(world.subdomain), json=message, headers=headers, timeout=60).status_code

    assert (status(acme), status(globex)) == (200, 200)
    admin.execute(change, [acme.id])
    changed_at = time.monotonic()

    # Asked all the while: no call makes its principal stay for longer.
    until(lambda: status(acme) == 401 or time.monotonic() - changed_at > kept.PRINCIPAL_LIFETIME)

    assert (status(acme), status(globex)) == (401, 200)
