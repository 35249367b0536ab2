"""openai-agents: each tool is turned into a function with a strict schema, and called as a model would."""

from __future__ import annotations

import json
from typing import Any

import told
from agents.mcp import MCPServerStreamableHttp, MCPUtil
from agents.tool import FunctionTool


class Agents:
    def __init__(self, server: MCPServerStreamableHttp) -> None:
        self._server = server
        self._functions: dict[str, FunctionTool] = {}

    async def tools(self) -> list[str]:
        tools = await self._server.list_tools()
        for tool in tools:
            self._functions[tool.name] = MCPUtil.to_function_tool(tool, self._server, convert_schemas_to_strict=True)
        loose = [name for name, function in self._functions.items() if not function.strict_json_schema]
        assert loose == [], f"no strict schema: {loose}"
        return [tool.name for tool in tools]

    async def call(self, name: str, arguments: dict[str, Any]) -> tuple[bool, str, Any]:
        # What a model under a strict schema gives: every parameter, null where it has nothing to say.
        schema = self._functions[name].params_json_schema
        given = dict.fromkeys(schema["properties"]) | arguments
        result = await self._server.call_tool(name, json.loads(json.dumps(given)))
        structured = getattr(result, "structured_content", None)
        return result.is_error, result.content[0].text, structured

    async def read(self, uri: str) -> str:
        return (await self._server.read_resource(uri)).contents[0].text

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return (await self._server.get_prompt(name, arguments)).messages[0].content.text


def connect(story: dict[str, Any]) -> told.Connect:
    async def connected(url: str, use: told.Use) -> None:
        parameters = {"url": url, "headers": {"Authorization": f"Bearer {story['token']}"}, "timeout": 300}
        async with MCPServerStreamableHttp(parameters, client_session_timeout_seconds=300) as server:
            await use(Agents(server))

    return connected


told.run(connect)
