"""langchain-mcp-adapters."""

from __future__ import annotations

from typing import Any

import told
from langchain_core.messages import ToolCall
from langchain_mcp_adapters.client import MultiServerMCPClient


class Adapters:
    def __init__(self, client: MultiServerMCPClient) -> None:
        self._client = client
        self._tools: dict[str, Any] = {}

    async def tools(self) -> list[str]:
        self._tools = {tool.name: tool for tool in await self._client.get_tools()}
        return list(self._tools)

    async def call(self, name: str, arguments: dict[str, Any]) -> tuple[bool, str, Any]:
        message = await self._tools[name].ainvoke(ToolCall(name=name, args=arguments, id="1", type="tool_call"))
        content = message.content
        text = content if isinstance(content, str) else content[0]["text"]
        return message.status == "error", text, (message.artifact or {}).get("structured_content")

    async def read(self, uri: str) -> str:
        return (await self._client.get_resources("shop", uris=[uri]))[0].as_string()

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return (await self._client.get_prompt("shop", name, arguments=arguments))[0].content


def connect(story: dict[str, Any]) -> told.Connect:
    async def connected(url: str, use: told.Use) -> None:
        headers = {"Authorization": f"Bearer {story['token']}"}
        await use(
            Adapters(MultiServerMCPClient({"shop": {"transport": "streamable_http", "url": url, "headers": headers}}))
        )

    return connected


told.run(connect)
