"""What a model has to know about every tool of an endpoint: `instructions` of initialize and server/discover."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from mcp_server.call import sizes
from mcp_server.declare.tools import Endpoint, ToolSpec

# Before what a project says itself.
OPENING_LINES = {
    Endpoint.TENANT: "The data of one tenant: the one in this server's URL. No tool takes a tenant.",
    Endpoint.PLATFORM: (
        "Work across tenants. Every call that touches data needs a reason, in one sentence, which is kept in the "
        "audit log."
    ),
}
ABOUT_NULLS = (
    "Null for an optional argument is the same as leaving it out, and so is an empty text for a text or a number."
)
ABOUT_LISTS = (
    "Lists: limit is the number of rows. If has_more is true, call again with cursor=next_cursor and the same other "
    "arguments."
)
ABOUT_TIMES = "Times are in ISO 8601 with their offset from UTC; days are in time_zone."
ABOUT_CHANGES = (
    "Changes: with dry_run=true nothing is changed, and the answer says what would be changed. If a change needs a "
    "person's approval, the person is asked; where that is not possible, call with dry_run=true, show the person the "
    "question, and after a yes make the same call with the confirmation."
)
ABOUT_SIZES = f"An answer of more than {sizes.MAX_TOKENS:,} tokens is cut or refused, and says how to ask for less."
ABOUT_KEYS = (
    "Keys: a change's idempotency_key is any text that is new for each change. The same call with the same key "
    "is done once and gets the same answer, so after an error or a lost answer call again with the same key."
)


def of(endpoint: Endpoint, own: str, tools: Sequence[ToolSpec]) -> str:
    """What an endpoint with these tools says, a paragraph a line; `own` is what the project adds for its tenants."""
    is_of_tenant = endpoint is Endpoint.TENANT
    has_lists = any("cursor" in inspect.signature(tool.function).parameters for tool in tools)
    has_changes = not all(tool.is_read_only for tool in tools)
    lines = {
        OPENING_LINES[endpoint]: True,
        own.strip(): is_of_tenant,
        ABOUT_NULLS: True,
        ABOUT_LISTS: has_lists,
        ABOUT_TIMES: True,
        ABOUT_CHANGES: has_changes,
        ABOUT_SIZES: True,
        ABOUT_KEYS: is_of_tenant and has_changes,
    }
    return "\n".join(line for line, is_said in lines.items() if line and is_said)
