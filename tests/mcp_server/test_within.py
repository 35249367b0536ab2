"""What a call does within another one, whose turn at the workers it shares."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
from mcp.server.mcpserver import Context

from core.models import Product
from mcp_server import MCP, anyone, configuration
from tests.mcp_server.test_app import asked, call
from tests.support.world import World


def test_calls_that_have_all_turns_and_read_resources_do_not_wait_for_each_other(acme: World) -> None:
    mcp = MCP("within", apps=[], authenticate=anyone)
    count = max(1, configuration.worker_count() // 2)  # what a tenant has while it is alone
    begun: list[None] = []
    all_have_begun = asyncio.Event()

    @mcp.resource("names://all", scope=None)
    def names() -> str:
        """Names of products."""
        return ", ".join(Product.objects.values_list("name", flat=True))

    @mcp.tool(scope=None, read_only=True)
    async def by_resource(context: Context[Any, Any]) -> str:
        """Read a resource."""
        begun.append(None)
        if len(begun) == count:
            all_have_begun.set()
        await all_have_begun.wait()
        [found] = await context.read_resource("names://all")
        return str(found.content)

    async def story(client: httpx2.AsyncClient) -> list[str]:
        async with asyncio.timeout(60):
            calls = [call(client, "/mcp/acme/", "tools/call", name="by_resource", arguments={}) for _ in range(count)]
            answers = await asyncio.gather(*calls)
        return [each.json()["result"]["content"][0]["text"] for each in answers]

    assert asked(mcp.asgi(), story) == ["Acme anvil"] * count
