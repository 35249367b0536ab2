"""The Python SDK 2.x, of one protocol era, over HTTP; or over stdio where the story names a command."""

from __future__ import annotations

from typing import Any

import httpx2
import told
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


class Sdk:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self._client.list_tools()).tools]

    async def call(self, name: str, arguments: dict[str, Any]) -> tuple[bool, str, Any]:
        result = await self._client.call_tool(name, arguments)
        return result.is_error, result.content[0].text, result.structured_content

    async def read(self, uri: str) -> str:
        return (await self._client.read_resource(uri)).contents[0].text

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return (await self._client.get_prompt(name, arguments)).messages[0].content.text


def connect(story: dict[str, Any]) -> told.Connect:
    async def over_http(url: str, use: told.Use) -> None:
        headers = {"Authorization": f"Bearer {story['token']}"}
        async with httpx2.AsyncClient(headers=headers, timeout=300) as http:
            async with Client(streamable_http_client(url, http_client=http), mode=story["era"]) as client:
                await use(Sdk(client))

    async def over_stdio(url: str, use: told.Use) -> None:
        program, *arguments = [each.format(url=url) for each in story["command"]]
        parameters = StdioServerParameters(command=program, args=arguments, env=story["environment"])
        async with Client(parameters, mode=story["era"]) as client:
            await use(Sdk(client))

    return over_stdio if "command" in story else over_http


told.run(connect)
