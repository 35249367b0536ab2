"""The limits that the server of a benchmark has, as the environment of the shop: none is there by chance.

tests/settings.py takes the limits away, and every benchmark imports it.
"""

from __future__ import annotations

# As many as by default, so that each message is counted, and none of them is reached.
UNREACHED = {
    "MCP_LIMIT_TENANT": "1000000/minute; 1000000000/day",
    "MCP_LIMIT_PRINCIPAL": "1000000/minute; 1000000000/day",
    "MCP_LIMIT_FAILED_LOGINS": "60/minute",
    "MCP_LIMIT_AT_ONCE": "40",
}
# Nothing is counted.
NONE = {
    "MCP_LIMIT_TENANT": "",
    "MCP_LIMIT_PRINCIPAL": "",
    "MCP_LIMIT_FAILED_LOGINS": "",
    "MCP_LIMIT_AT_ONCE": "0",
}
# What holds from the start (mcp_server.limits.rules).
DEFAULT = {
    "MCP_LIMIT_TENANT": "1200/minute; 200000/day",
    "MCP_LIMIT_PRINCIPAL": "600/minute; 100000/day",
    "MCP_LIMIT_FAILED_LOGINS": "60/minute",
    "MCP_LIMIT_AT_ONCE": "40",
}
