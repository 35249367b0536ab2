"""A conversation goes on at whatever worker a request reaches, and after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
from mcp import Client

from tests.mcp_server.test_pipeline import records
from tests.support import raw
from tests.support.held import ASLEEP, sessions, until
from tests.support.processes import ERAS, Era, Process, connected, serving
from tests.support.proxy import Proxy
from tests.support.world import World

# Each request is a connection, and so goes to the next worker.
ONE_BY_ONE = {"Connection": "close"}


def address(process: Process) -> tuple[str, int]:
    parts = urlsplit(process.url)
    return str(parts.hostname), int(parts.port or 0)


async def text(client: Client, tool: str, **arguments: Any) -> str:
    result: Any = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return str(result.content[0].text)


class Workers:
    """Two workers behind a proxy that takes turns, either of which can be started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._started = 0
        self.stacks: list[ExitStack] = []
        self.processes: list[Process] = []
        self.start()
        self.start()
        self.proxy = Proxy(*address(self.processes[0]))

    def start(self) -> None:
        """Start one more."""
        self._started += 1
        stack = ExitStack()
        self.stacks.append(stack)
        self.processes.append(stack.enter_context(serving(self._directory / f"log-{self._started}")))

    def end(self) -> None:
        """End the older one, which answers what it is working on."""
        self.stacks.pop(0).close()
        del self.processes[0]

    def take_turns(self) -> None:
        self.proxy.rotate(*map(address, self.processes))

    def mcp(self, tenant: str) -> str:
        return f"http://127.0.0.1:{self.proxy.port}/mcp/{tenant}/"


@pytest.fixture
def workers(database: str, tmp_path: Path) -> Iterator[Workers]:
    found = Workers(tmp_path)
    with found.proxy.running():
        found.take_turns()
        yield found
    for stack in found.stacks:
        stack.close()


@pytest.mark.parametrize("era", ERAS)
def test_a_conversation_goes_on_at_another_worker_and_after_a_restart(
    era: Era, acme: World, workers: Workers, admin: psycopg.Connection
) -> None:
    first = workers.processes[0]

    async def story() -> list[str]:
        async with connected(workers.mcp("acme"), acme.token, era, ONE_BY_ONE) as client:
            count = await text(client, "shop_begin_count")
            counted = [await text(client, "shop_count_on", count=count) for _ in range(4)]
            slow = [asyncio.create_task(text(client, "shop_slow", seconds=1)) for _ in range(2)]
            await asyncio.to_thread(until, lambda: sessions(admin, first.name, ASLEEP))
            await asyncio.to_thread(workers.end)
            assert await asyncio.gather(*slow) == ["Acme anvil"] * 2
            counted += [await text(client, "shop_count_on", count=count) for _ in range(2)]
            await asyncio.to_thread(workers.start)
            workers.take_turns()
            counted += [await text(client, "shop_count_on", count=count) for _ in range(2)]
        # The client connects again: it has the handle, and nothing else.
        async with connected(workers.mcp("acme"), acme.token, era, ONE_BY_ONE) as client:
            return [*counted, await text(client, "shop_count_on", count=count)]

    counted = asyncio.run(story())

    assert counted == [str(number) for number in range(1, 10)]
    for process in (first, *workers.processes):
        assert records(process, message="tool call", tool="shop_count_on", outcome="ok")


def test_a_session_is_known_to_one_worker_and_a_handle_to_each(
    acme: World, globex: World, stateful_server: Process, tmp_path: Path
) -> None:
    """What a client of the older protocol loses with its worker is the session: it begins another one."""

    def called(process: Process, world: World, tool: str, session: dict[str, str], **arguments: Any) -> httpx2.Response:
        params = {"name": tool, "arguments": arguments}
        return raw.post(process, world, raw.message("tools/call", params), token=world.token, **session)

    def said(answer: httpx2.Response) -> str:
        return str(raw.result(answer)["result"]["content"][0]["text"])

    with serving(tmp_path / "log", MCP_SESSIONS="stateful") as other:
        session = raw.session(stateful_server, acme)
        count = said(called(stateful_server, acme, "shop_begin_count", session))
        first = said(called(stateful_server, acme, "shop_count_on", session, count=count))

        elsewhere = called(other, acme, "shop_count_on", session, count=count)
        second = said(called(other, acme, "shop_count_on", raw.session(other, acme), count=count))
        of_globex = called(stateful_server, globex, "shop_count_on", session, count=count)
        with_own_session = called(
            stateful_server, globex, "shop_count_on", raw.session(stateful_server, globex), count=count
        )

    assert (first, second) == ("1", "2")
    assert [answer.status_code for answer in (elsewhere, of_globex)] == [404, 404]
    assert "Session not found" in elsewhere.text
    assert elsewhere.text == of_globex.text
    assert said(with_own_session).startswith("This handle is not known")
