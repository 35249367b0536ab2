"""A Starlette application with two servers below paths of its own."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tests.shop.mounted import begun, first, lifespan, second


async def healthz(request: Request) -> PlainTextResponse:
    return PlainTextResponse(",".join(begun))


app = Starlette(
    routes=[
        Route("/healthz", healthz),
        Mount("/v1", routes=[Mount("/ai", first.asgi(at="/mcp"))]),
        Mount("/assist", second.asgi(at="/")),
    ],
    lifespan=lifespan,
)
