"""FastMCP and psycopg; the tenant is filtered by hand."""

from __future__ import annotations

from fastmcp import FastMCP

from benchmarks.peers import page
from benchmarks.peers.page import Page

connections = page.pool()
mcp = FastMCP("fast")


@mcp.tool
def get_tenant_products(limit: int = 20) -> Page:
    """List this tenant's products, newest first."""
    return page.filtered(connections)


app = mcp.http_app(stateless_http=True, json_response=True)
