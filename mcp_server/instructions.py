"""What a model has to know about every tool of an endpoint: `instructions` of initialize and server/discover."""

from __future__ import annotations

from mcp_server.call import sizes
from mcp_server.declare.tools import Endpoint

# Before what a project says itself.
OPENING_LINES = {
    Endpoint.TENANT: "The data of one tenant: the one in this server's URL. No tool takes a tenant.",
    Endpoint.PLATFORM: (
        "Work across tenants. Every call that touches data needs a reason, in one sentence, which is kept in the "
        "audit log."
    ),
}
SHARED_LINES = (
    "Null for an optional argument is the same as leaving it out, and so is an empty text for a text or a number.",
    "Lists: limit is the number of rows. If has_more is true, call again with cursor=next_cursor and the same other "
    "arguments.",
    "Times are in ISO 8601 with their offset from UTC; days are in time_zone.",
    "Changes: with dry_run=true nothing is changed, and the answer says what would be changed. If a change needs a "
    "person's approval, the person is asked; where that is not possible, call with dry_run=true, show the person the "
    "question, and after a yes make the same call with the confirmation.",
    f"An answer of more than {sizes.LIMIT:,} tokens is cut or refused, and says how to ask for less.",
)
CLOSING_LINES = {
    Endpoint.TENANT: (
        "Keys: a change's idempotency_key is any text that is new for each change. The same call with the same key "
        "is done once and gets the same answer, so after an error or a lost answer call again with the same key."
    ),
    Endpoint.PLATFORM: "",
}


def of(endpoint: Endpoint, own: str) -> str:
    """What an endpoint says, a paragraph a line; `own` is what the project adds for its tenants."""
    added = own.strip() if endpoint is Endpoint.TENANT else ""
    return "\n".join(filter(None, [OPENING_LINES[endpoint], added, *SHARED_LINES, CLOSING_LINES[endpoint]]))
