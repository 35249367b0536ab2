"""What a function raises ends its call, and neither the server nor the calls of others."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httpx2
import pytest

from core.models import Product
from mcp_server import MCP, anyone
from rls import tenant_context
from tests.mcp_server.test_app import asked, call
from tests.support.world import World

ENDINGS = [SystemExit, KeyboardInterrupt, StopIteration, asyncio.CancelledError]


def leaving() -> MCP:
    """A server whose tools end more than their call."""
    mcp = MCP("leaving", apps=[], authenticate=anyone)

    @mcp.tool(scope=None, read_only=True)
    def end(number: int) -> str:
        """Raise what is no error."""
        raise ENDINGS[number]

    @mcp.tool(scope=None, read_only=True)
    async def leave_later() -> str:
        """End Python, later."""
        sys.exit(1)

    @mcp.tool(scope=None, read_only=False)
    def restock_and_leave() -> str:
        """Change something, and end Python."""
        Product.objects.update(stock=7)
        sys.exit(1)

    return mcp


@pytest.mark.parametrize(
    ("name", "arguments"),
    [*(("end", {"number": number}) for number in range(len(ENDINGS))), ("leave_later", {}), ("restock_and_leave", {})],
)
def test_it_is_a_failure_of_its_call(name: str, arguments: dict[str, Any], acme: World) -> None:
    async def story(client: httpx2.AsyncClient) -> Any:
        found = await call(client, "/mcp/acme/", "tools/call", "", name=name, arguments=arguments)
        return found.json()["result"]

    result = asked(leaving().asgi(), story)

    assert result["isError"]
    assert f"{name} failed unexpectedly. Report reference " in result["content"][0]["text"]
    with tenant_context(acme.id):
        assert Product.objects.get().stock == 5
