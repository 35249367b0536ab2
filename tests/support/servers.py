"""MCP objects in the process of a test: the shop's, and those of a test alone."""

from __future__ import annotations

from core.asgi import application
from mcp_server import MCP
from mcp_server.declare.tools import Endpoint, ToolSpec


def shop() -> MCP:
    """The one that core/asgi.py serves."""
    return application.mcp


def shop_tools(endpoint: Endpoint) -> list[ToolSpec]:
    """Its tools, without those of tests/shop."""
    return [spec for spec in shop().registry().tools(endpoint) if spec.function.__module__.startswith("core.")]


def own(name: str = "tests") -> MCP:
    """One that offers only what the test declares on it."""
    return MCP(name, apps=[])
