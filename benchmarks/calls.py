"""What a tool call sends: statements and transaction commands, and how often it goes to a worker thread.

    python -m benchmarks.calls

Each call goes through the whole application, in process, after one of its kind that is not counted. Statements are
those that Django logs, savepoints and authentication included; a message of the backend (tenant and statement
together) is one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from benchmarks import common  # isort: skip

import anyio.to_thread
import httpx2
from django.test import override_settings

from core.asgi import application
from tests.support.world import World, make_tenant

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
}
KEY = "a key of its own"
ENDS = ("BEGIN", "COMMIT", "ROLLBACK")
STOCK = {"sku": "A-1", "quantity": 3, "reason": "purchase"}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("reads", "get_product", {"sku": "A-1"}),
    ("changes", "adjust_stock", STOCK),
    ("changes, with a key", "adjust_stock", STOCK | {"idempotency_key": KEY}),
    ("dry run", "adjust_stock", STOCK | {"dry_run": True}),
    ("asks a person", "adjust_stock", STOCK | {"quantity": 2000}),
]


class Statements(logging.Handler):
    """Keeps what Django logs of each statement."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sent.append(str(getattr(record, "sql", "")))


@contextmanager
def counting() -> Iterator[tuple[list[str], list[object]]]:
    """Within the block the statements that are sent, and the functions that go to a thread, are in the two lists."""
    handler, trips, run_sync = Statements(), [], anyio.to_thread.run_sync

    async def counted(function: Any, *args: Any, **options: Any) -> Any:
        trips.append(function)
        return await run_sync(function, *args, **options)

    logger = logging.getLogger("django.db.backends")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        with override_settings(DEBUG=True), mock.patch.object(anyio.to_thread, "run_sync", counted):
            yield handler.sent, trips
    finally:
        logger.propagate = True
        logger.setLevel(level)
        logger.removeHandler(handler)


async def called(http: httpx2.AsyncClient, world: World, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The answer to one call."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    params = {"name": name, "arguments": arguments, "_meta": META}
    headers = {
        "Authorization": f"Bearer {world.token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": "tools/call",
        "Mcp-Name": name,
    }
    answer = await http.post(f"/mcp/{world.subdomain}/", json=message | {"params": params}, headers=headers)
    result: dict[str, Any] = answer.json()["result"]
    assert not result.get("isError"), result
    return result


async def measure(world: World) -> None:
    transport = httpx2.ASGITransport(app=application)
    async with (
        application.router.lifespan_context(application),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http,
    ):
        for kind, name, arguments in CALLS:
            first, second = (
                {key: str(number) if value == KEY else value for key, value in arguments.items()} for number in (1, 2)
            )
            await called(http, world, name, first)
            with counting() as (statements, trips):
                await called(http, world, name, second)
            ends = sum(each in ENDS for each in statements)
            print(
                f"  {name}, {kind}: {len(statements) - ends} statements, {ends} begin or end, {len(trips)} thread trips"
            )


def main() -> None:
    with common.database() as (server, _):
        world = make_tenant("acme", "Acme")
        print(server.source)
        asyncio.run(measure(world))


if __name__ == "__main__":
    main()
