"""The project's application whose tenant server also has a resource, a template, a prompt and a completion."""

from __future__ import annotations

from typing import Any

import django

django.setup()

from mcp.server.mcpserver import Context, MCPServer  # noqa: E402
from mcp_types import Completion, ElicitRequest, ElicitRequestFormParams, InputRequiredResult  # noqa: E402

from core.models import Product  # noqa: E402
from mcp_server import MCP, server, workers  # noqa: E402
from mcp_server.declare.tools import Endpoint  # noqa: E402

build_tools = server.build


def names() -> list[str]:
    return [product.name for product in Product.objects.order_by("name")]


def build(mcp: MCP, endpoint: Endpoint) -> MCPServer[Any]:
    served = build_tools(mcp, endpoint)
    if endpoint is Endpoint.TENANT:
        add_handlers(served)
    return served


def add_handlers(mcp: MCPServer[Any]) -> None:
    @mcp.resource("shop://names")
    async def resource() -> str:
        return ", ".join(await workers.run(names))

    @mcp.resource("shop://names/{sku}")
    async def template(sku: str) -> str:
        return ", ".join(await workers.run(names)) + f" not {sku}"

    @mcp.prompt()
    async def prompt() -> str:
        return ", ".join(await workers.run(names))

    @mcp.prompt()
    async def crash() -> str:
        raise ZeroDivisionError("the secret of the crash")

    @mcp.completion()
    async def completion(ref: object, argument: object, context: object) -> Completion:
        return Completion(values=await workers.run(names))

    @mcp.prompt()
    async def ask(ctx: Context[Any, Any]) -> Any:
        """Asks the person first, with state that the client brings back."""
        if ctx.request_state is None:
            question = ElicitRequestFormParams(
                message="Sure?",
                requested_schema={"type": "object", "properties": {"sure": {"type": "boolean"}}},
            )
            asked = {"sure": ElicitRequest(params=question)}
            return InputRequiredResult(input_requests=asked, request_state=", ".join(await workers.run(names)))
        return f"{ctx.request_state} / {', '.join(await workers.run(names))}"


server.build = build

from core.asgi import application as app  # noqa: E402

__all__ = ["app"]
