"""The Python SDK 1.x."""

from __future__ import annotations

from typing import Any

import told
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


class Sdk:
    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self._session.list_tools()).tools]

    async def call(self, name: str, arguments: dict[str, Any]) -> tuple[bool, str, Any]:
        result = await self._session.call_tool(name, arguments)
        return result.isError, result.content[0].text, result.structuredContent

    async def read(self, uri: str) -> str:
        return (await self._session.read_resource(uri)).contents[0].text

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return (await self._session.get_prompt(name, arguments)).messages[0].content.text


def connect(story: dict[str, Any]) -> told.Connect:
    async def connected(url: str, use: told.Use) -> None:
        headers = {"Authorization": f"Bearer {story['token']}"}
        async with streamablehttp_client(url, headers=headers) as (reader, writer, _):
            async with ClientSession(reader, writer) as session:
                await session.initialize()
                await use(Sdk(session))

    return connected


told.run(connect)
