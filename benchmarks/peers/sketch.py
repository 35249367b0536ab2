"""The SDK's MCPServer, Django's ORM and our database backend, and nothing else of ours: no token, limits or texts."""

from __future__ import annotations

import os

import django
from mcp.server.mcpserver import MCPServer

django.setup()

from django.db import connections  # noqa: E402  (needs Django's models, as do those below)

from benchmarks.peers.page import LIMIT, Page, Product  # noqa: E402
from core.models import Product as Row  # noqa: E402
from rls.context import checked_tenant_context  # noqa: E402

mcp = MCPServer("sketch")


@mcp.tool()
def get_tenant_products(limit: int = 20) -> Page:
    """List this tenant's products, newest first."""
    try:
        with checked_tenant_context(os.environ["PEER_TENANT"]):
            rows = list(Row.objects.order_by("-created_at", "-id")[: LIMIT + 1])
    finally:
        connections.close_all()  # returns it to the pool
    return Page(products=[_product(row) for row in rows[:LIMIT]], has_more=len(rows) > LIMIT)


def _product(row: Row) -> Product:
    return Product(
        sku=row.sku,
        name=row.name,
        category=row.category,
        price_minor=row.price_minor,
        currency=row.currency,
        stock=row.stock,
        is_low=row.stock <= row.reorder_level,
        is_active=row.is_active,
    )


app = mcp.streamable_http_app(stateless_http=True, json_response=True)
