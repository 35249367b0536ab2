"""The client of FastMCP."""

from __future__ import annotations

from typing import Any

import told
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


class Fast:
    def __init__(self, client: Client[Any]) -> None:
        self._client = client

    async def tools(self) -> list[str]:
        return [tool.name for tool in await self._client.list_tools()]

    async def call(self, name: str, arguments: dict[str, Any]) -> tuple[bool, str, Any]:
        result = await self._client.call_tool(name, arguments, raise_on_error=False)
        return result.is_error, result.content[0].text, result.structured_content

    async def read(self, uri: str) -> str:
        return (await self._client.read_resource(uri))[0].text

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return (await self._client.get_prompt(name, arguments)).messages[0].content.text


def connect(story: dict[str, Any]) -> told.Connect:
    async def connected(url: str, use: told.Use) -> None:
        headers = {"Authorization": f"Bearer {story['token']}"}
        async with Client(StreamableHttpTransport(url, headers=headers)) as client:
            await use(Fast(client))

    return connected


told.run(connect)
