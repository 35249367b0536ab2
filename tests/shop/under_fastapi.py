"""The same under FastAPI, beside a route of its own."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from tests.shop.mounted import begun, first, lifespan, second

app = FastAPI(lifespan=lifespan)
below = FastAPI()
below.mount("/ai", first.asgi(at="/mcp"))


@app.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    return ",".join(begun)


app.mount("/v1", below)
app.mount("/assist", second.asgi(at="/"))
