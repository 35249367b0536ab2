"""What a model has to know about every tool of an endpoint: `instructions` of initialize and server/discover."""

from __future__ import annotations

from mcp_server.call import sizes
from mcp_server.declare.tools import Endpoint

EVERY = (
    "Null for an optional argument is the same as leaving it out, and so is an empty text for a text or a number.",
    "Lists: limit is how many rows; has_more says that there are more, and next_cursor is what cursor takes in the "
    "next call, with the same other arguments.",
    "Times are ISO 8601 with their offset from UTC; days are those of time_zone.",
    "Changes: with dry_run=true nothing is changed, and the answer says what would be. What a person has to agree to "
    "is asked of the person; where that can't be, call with dry_run=true, show the person its question, and after a "
    "yes make the same call with its confirmation.",
    f"An answer of more than {sizes.LIMIT:,} tokens is cut or refused, and says how to ask for less.",
)
OF = {
    Endpoint.TENANT: "\n".join(
        [
            "The shop of one tenant: the one in this server's URL. No tool takes a tenant.",
            "Money: what ends in _minor is in the minor unit of its currency, which has so many decimals: 1999 with "
            "currency EUR and decimals 2 is 19.99 EUR.",
            "Periods: today, yesterday, this_week, last_week, this_month, last_month, this_year, last_year, "
            "last_N_days (N from 1 to 730), or a year (2026), month (2026-11), ISO week (2026-W47), day (2026-11-23) "
            "or range of days (2026-10-01..2026-11-15), in the tenant's time zone.",
            *EVERY,
            "Keys: a change's idempotency_key is any text that is new for each change: the same call with the same key "
            "is done once and gets the same answer, so after an error or a lost answer call again with it.",
        ]
    ),
    Endpoint.PLATFORM: "\n".join(
        [
            "Work across tenants. Every call that touches data needs a reason, in a sentence, and is written to the "
            "audit with it.",
            *EVERY,
        ]
    ),
}
