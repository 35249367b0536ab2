"""The SDK's MCPServer and psycopg under row-level security."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer

from benchmarks.peers import page
from benchmarks.peers.page import Page

connections = page.pool()
mcp = MCPServer("sdk")


@mcp.tool()
def get_tenant_products(limit: int = 20) -> Page:
    """List this tenant's products, newest first."""
    return page.under_policy(connections)


app = mcp.streamable_http_app(stateless_http=True, json_response=True)
