"""Two servers, each with tools of its own, for applications that mount them beside what they serve themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import django

django.setup()

from core.models import Product  # noqa: E402
from mcp_server import MCP, current_principal  # noqa: E402

first, second = MCP("first", apps=[], scopes=["names:read"]), MCP("second", apps=[], scopes=["names:read"])
# What the outer application's own lifespan has done.
begun: list[str] = []


@first.tool(scope="names:read", read_only=True)
def names() -> list[str]:
    """The names of this tenant's products."""
    return [product.name for product in Product.objects.all()]


@second.tool(scope="names:read", read_only=True)
def caller() -> str:
    """Who calls."""
    return current_principal().actor


@second.tool(scope="names:read", read_only=False)
def restock(sku: str) -> str:
    """Put ten of a product into stock."""
    Product.objects.filter(sku=sku).update(stock=10)
    return "Restocked"


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """The outer application's own, with those of both servers inside it."""
    async with AsyncExitStack() as stack:
        begun.append("outer")
        for mcp in (first, second):
            await stack.enter_async_context(mcp.lifespan(app))
        yield
