"""A tool that touches no data: is the connection alive?"""

from __future__ import annotations

import math

from django.utils.translation import gettext as _

from mcp_server.declare.tools import Answer, Endpoint, tool
from mcp_server.errors import Refusal

# Up to here each whole number is a float of its own.
MAX_EXACT_INTEGER = 2**53


class Sum(Answer):
    """The sum of two numbers."""

    result: float

    def text(self) -> str:
        return (
            str(int(self.result))
            if self.result.is_integer() and abs(self.result) < MAX_EXACT_INTEGER
            else repr(self.result)
        )


@tool(scope=None, title="Add numbers", read_only=True, endpoint=Endpoint)
def add_numbers(a: float, b: float) -> Sum:
    """Add two numbers. Reads no data: call it to test the connection."""
    # Adding 0.0 makes 0 of -0.
    result = a + b + 0.0
    if not math.isfinite(result):
        raise Refusal(_("The sum is too large for a number. Call add_numbers with smaller numbers."))
    return Sum(result=result)
