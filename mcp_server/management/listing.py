"""What a server offers, as lines for whoever runs it."""

from __future__ import annotations

import asyncio
import json
import shlex
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils import translation
from mcp_types import Tool

from mcp_server import reference, server
from mcp_server.app import MCP
from mcp_server.call import sizes
from mcp_server.declare import examples
from mcp_server.declare.prompts import PromptSpec
from mcp_server.declare.registry import Spec, place
from mcp_server.declare.resources import ResourceSpec
from mcp_server.declare.tools import Endpoint, ToolSpec

TITLES = {Endpoint.TENANT: "Tools of a tenant", Endpoint.PLATFORM: "Tools of the platform"}
WIDTH = 100  # characters


@dataclass(frozen=True, slots=True)
class Row:
    """One of what is offered: by which name it is asked for, what it does, the scope it needs, what it is for."""

    name: str
    kind: str
    scope: str
    description: str


def listed(mcp: MCP) -> str:
    """Everything that a server offers, each on a line."""
    with translation.override("en"):
        return "\n\n".join(f"{title}\n{_table(rows)}" for title, rows in _sections(mcp) if rows)


def listed_as_json(mcp: MCP) -> str:
    """The same for a program."""
    with translation.override("en"):
        found = [
            {
                "group": title,
                "name": row.name,
                "kind": row.kind,
                "scope": row.scope or None,
                "description": row.description,
            }
            for title, rows in _sections(mcp)
            for row in rows
        ]
    return json.dumps(found, ensure_ascii=False, indent=2)


def inspected(mcp: MCP, name: str) -> str:
    """What there is to know of each tool, resource and prompt that has this name; '' where none has."""
    with translation.override("en"):
        found = [spec for spec in mcp.registry().specs() if name in _names(spec)]
        return "\n\n".join("\n".join(_facts(mcp, spec)) for spec in found)


def names(mcp: MCP) -> list[str]:
    """By which names `inspected` finds something."""
    return sorted({_names(spec)[0] for spec in mcp.registry().specs()})


def _names(spec: Spec) -> list[str]:
    return [str(spec.uri), spec.name] if isinstance(spec, ResourceSpec) else [spec.name]


def _sections(mcp: MCP) -> Iterator[tuple[str, list[Row]]]:
    registry = mcp.registry()
    for endpoint in mcp.endpoints():
        yield TITLES[endpoint], [_row(spec) for spec in registry.tools(endpoint)]
    yield "Resources", [_row(spec) for spec in registry.resources()]
    yield "Prompts", [_row(spec) for spec in registry.prompts().values()]


def _row(spec: Spec) -> Row:
    kind = _kind(spec) if isinstance(spec, ToolSpec) else spec.kind
    return Row(_names(spec)[0], kind, spec.scope or "", str(spec.description).partition("\n")[0])


def _kind(spec: ToolSpec) -> str:
    return "reads" if spec.is_read_only else "destroys" if spec.is_destructive else "changes"


def _table(rows: list[Row]) -> str:
    cells = [(row.name, row.kind, row.scope or "-") for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row, each in zip(rows, cells, strict=True):
        head = "  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True))
        lines.append(f"  {head}  {textwrap.shorten(row.description, WIDTH, placeholder=' ...')}")
    return "\n".join(lines)


def _facts(mcp: MCP, spec: Spec) -> Iterator[str]:
    if isinstance(spec, ToolSpec):
        yield from _of_tool(mcp, spec)
        return
    yield f"{spec.kind} {_names(spec)[0]}"
    yield f"{spec.title}\n\n{spec.description}\n"
    yield from _fields({"scope": _scope(spec), "declared at": place(spec.function), **_of_reading(spec)})
    if spec.arguments:
        yield "\narguments"
        required = spec.parameters.required
        yield from _fields(
            {name: _described(each.description, name in required) for name, each in spec.arguments.items()}
        )


def _of_reading(spec: ResourceSpec | PromptSpec) -> dict[str, str]:
    if isinstance(spec, PromptSpec):
        return {}
    return {"media type": spec.mime_type, "can be watched": "yes" if spec.rows else "no"}


def _of_tool(mcp: MCP, spec: ToolSpec) -> Iterator[str]:
    tool = _published(mcp, spec)
    entry = sizes.as_json(tool.model_dump(mode="json", by_alias=True, exclude_none=True))
    yield f"tool {spec.name}, at the endpoint of {'the platform' if spec.is_at_platform else 'a tenant'}"
    yield f"{spec.title}\n\n{tool.description}\n"
    yield from _fields(
        {
            "scope": _scope(spec),
            "does": ", ".join(reference.kinds(tool)) + ("; may ask a person first" if spec.asks else ""),
            "declared at": place(spec.function),
            "is listed in": f"{len(entry.encode())} bytes, about {sizes.tokens(entry)} tokens",
            "at most": ", ".join([*reference.bounds(spec), f"{sizes.MAX_TOKENS} tokens in an answer"]),
        }
    )
    example = examples.arguments(tool.input_schema)
    yield f"\nexample\n  {_command(spec, example)}"
    yield f"\n{_indented({'name': spec.name, 'arguments': example})}"
    yield f"\ninput schema\n{_indented(tool.input_schema)}"
    if tool.output_schema is not None:
        yield f"\noutput schema\n{_indented(tool.output_schema)}"


def _published(mcp: MCP, spec: ToolSpec) -> Tool:
    """The tool as its endpoint lists it."""
    tools = asyncio.run(server.build(mcp, spec.endpoint).list_tools())
    return next(tool for tool in tools if tool.name == spec.name)


def _command(spec: ToolSpec, example: dict[str, Any]) -> str:
    at = ["--platform"] if spec.is_at_platform else ["--tenant", "acme"]
    given = [f"{name}={each if isinstance(each, str) else sizes.as_json(each)}" for name, each in example.items()]
    words = ["manage.py", "mcp", "call", spec.name, *at, *(word for each in given for word in ("--arg", each))]
    return shlex.join(words)


def _fields(fields: dict[str, str]) -> Iterable[str]:
    width = max(map(len, fields))
    return (f"  {name.ljust(width)}  {text}" for name, text in fields.items())


def _scope(spec: Spec) -> str:
    return str(spec.scope) if spec.scope else "none is needed"


def _described(description: object, is_required: bool) -> str:
    return f"{'required. ' if is_required else ''}{description}"


def _indented(found: Any) -> str:
    return textwrap.indent(json.dumps(found, ensure_ascii=False, indent=2), "  ")
