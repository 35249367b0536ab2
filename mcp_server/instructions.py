"""What a model has to know about every tool of an endpoint: `instructions` of initialize and server/discover."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from mcp_server.call import sizes
from mcp_server.declare.tools import Endpoint, ToolSpec

# Before what a project says itself.
FIRST = {
    Endpoint.TENANT: "The data of one tenant: the one in this server's URL. No tool takes a tenant.",
    Endpoint.PLATFORM: (
        "Work across tenants. Every call that touches data needs a reason, in a sentence, and is written to the "
        "audit with it."
    ),
}
NULLS = "Null for an optional argument is the same as leaving it out, and so is an empty text for a text or a number."
LISTS = (
    "Lists: limit is how many rows; has_more says that there are more, and next_cursor is what cursor takes in the "
    "next call, with the same other arguments."
)
TIMES = "Times are ISO 8601 with their offset from UTC; days are those of time_zone."
CHANGES = (
    "Changes: with dry_run=true nothing is changed, and the answer says what would be. What a person has to agree to "
    "is asked of the person; where that can't be, call with dry_run=true, show the person its question, and after a "
    "yes make the same call with its confirmation."
)
SIZES = f"An answer of more than {sizes.MAX_TOKENS:,} tokens is cut or refused, and says how to ask for less."
KEYS = (
    "Keys: a change's idempotency_key is any text that is new for each change: the same call with the same key "
    "is done once and gets the same answer, so after an error or a lost answer call again with it."
)


def of(endpoint: Endpoint, own: str, tools: Sequence[ToolSpec]) -> str:
    """What an endpoint with these tools says, a paragraph a line; `own` is what the project adds for its tenants."""
    is_of_tenant = endpoint is Endpoint.TENANT
    has_lists = any("cursor" in inspect.signature(tool.function).parameters for tool in tools)
    has_changes = not all(tool.is_read_only for tool in tools)
    lines = {
        FIRST[endpoint]: True,
        own.strip(): is_of_tenant,
        NULLS: True,
        LISTS: has_lists,
        TIMES: True,
        CHANGES: has_changes,
        SIZES: True,
        KEYS: is_of_tenant and has_changes,
    }
    return "\n".join(line for line, is_said in lines.items() if line and is_said)
