"""Starlette and psycopg under row-level security, without MCP: what no server of this kind can be below."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.peers import page

connections = page.pool()


def products(request: Request) -> Response:
    """The newest products, as JSON."""
    return Response(page.under_policy(connections).model_dump_json(), media_type="application/json")


app = Starlette(routes=[Route("/mcp", products, methods=["POST"])])
