"""The reference of what a server offers at its endpoints, as a page of Markdown, from what they publish."""

from __future__ import annotations

import asyncio
from typing import Any

from django.utils import translation
from mcp.server.mcpserver import MCPServer
from mcp_types import Tool

from mcp_server import instructions, server
from mcp_server.app import MCP
from mcp_server.declare.tools import Endpoint, ToolSpec

HEADING = """# Tools, resources and prompts

Written by `make reference` from what the endpoints publish; a test compares. What stands under an endpoint's name is
what it tells every client as its `instructions`, once for all its tools.
"""
ENDPOINTS = {
    Endpoint.TENANT: "At the endpoint of a tenant: `/mcp/<tenant>/`",
    Endpoint.PLATFORM: "At the endpoint of the platform: `/mcp/`",
}


def page(mcp: MCP) -> str:
    """The whole page."""
    with translation.override("en"):
        return "\n".join([HEADING, *(asyncio.run(_endpoint(mcp, endpoint)) for endpoint in mcp.endpoints())])


async def _endpoint(mcp: MCP, endpoint: Endpoint) -> str:
    served = server.build(mcp, endpoint)
    specs = mcp.registry().tools(endpoint)
    declared = {spec.name: spec for spec in specs}
    told = instructions.of(endpoint, mcp.instructions, specs)
    parts = [f"## {ENDPOINTS[endpoint]}\n", *(f"- {line}" for line in told.splitlines()), ""]
    parts += [_tool(tool, declared[tool.name]) for tool in await served.list_tools()]
    return "\n".join([*parts, *await _resources(served), *await _prompts(served)])


def kinds(tool: Tool) -> list[str]:
    """What its annotations say of a tool."""
    notes = tool.annotations
    return [
        "reads" if notes and notes.read_only_hint else "changes",
        *(["destructive"] if notes and notes.destructive_hint else []),
        *(["idempotent"] if notes and notes.idempotent_hint and not notes.read_only_hint else []),
    ]


def bounds(spec: ToolSpec) -> list[str]:
    """What its declaration says of how much it may take and give."""
    return [
        *([] if spec.timeout is None else [f"{spec.timeout:g} s a query"]),
        *([] if spec.max_rows is None else [f"{spec.max_rows} rows"]),
    ]


def _tool(tool: Tool, spec: ToolSpec) -> str:
    facts = "; ".join([", ".join(kinds(tool)), _scope(spec.scope), *(f"at most {each}" for each in bounds(spec))])
    lines = [f"### `{tool.name}`\n", f"{tool.description}\n", f"{facts}\n"]
    properties = tool.input_schema.get("properties", {})
    if properties:
        lines += ["| argument | type | default | |", "|---|---|---|---|"]
        required = tool.input_schema.get("required", [])
        lines += [
            f"| `{name}` | {_type(each)} | {'required' if name in required else _code(each.get('default'))} "
            f"| {each.get('description', '')} |"
            for name, each in properties.items()
        ]
        lines.append("")
    return "\n".join(lines)


async def _resources(served: MCPServer[Any]) -> list[str]:
    found = [
        *((each.uri, each.description) for each in await served.list_resources()),
        *((each.uri_template, each.description) for each in await served.list_resource_templates()),
    ]
    return _table("Resources", "resource", found)


async def _prompts(served: MCPServer[Any]) -> list[str]:
    found = [
        (f"{each.name}({', '.join(argument.name for argument in each.arguments or [])})", each.description)
        for each in await served.list_prompts()
    ]
    return _table("Prompts", "prompt", found)


def _table(title: str, kind: str, rows: list[tuple[Any, str | None]]) -> list[str]:
    if not rows:
        return []
    return [f"### {title}\n", f"| {kind} | |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows), ""]


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return " or ".join(_kind(kind, schema) for kind in kinds if kind != "null")


def _kind(kind: str, schema: dict[str, Any]) -> str:
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object":
        return "{" + ", ".join(schema.get("properties", {})) + "}"
    low, high = (schema.get(word) for word in ("minimum", "maximum"))
    limits = f" {low}-{high}" if low is not None and high is not None else ""
    longest = f" to {schema['maxLength']}" if "maxLength" in schema else ""
    return f"{kind}{limits}{longest}"


def _scope(scope: str | None) -> str:
    return f"scope `{scope}`" if scope else "no scope"


def _code(value: object) -> str:
    return "" if value is None else f"`{value}`"
