"""A tool that touches no data: is the connection alive?"""

from __future__ import annotations

from mcp_server.registry import Answer, Door, tool


class Sum(Answer):
    """The sum of two numbers."""

    result: float

    def text(self) -> str:
        return f"{self.result:g}"


@tool(scope=None, title="Add numbers", read_only=True, door=Door)
def add_numbers(a: float, b: float) -> Sum:
    """Add two numbers. Reads no data: call it to test the connection."""
    return Sum(result=a + b)
