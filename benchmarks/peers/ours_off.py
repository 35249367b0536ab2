"""Our server without what can be left out: a function that knows the caller, no translation, no log."""

from __future__ import annotations

import os
from uuid import UUID

from django.core.asgi import get_asgi_application
from starlette.requests import HTTPConnection

django = get_asgi_application()

from core.scopes import Scope  # noqa: E402  (needs Django's models)
from mcp_server import MCP, Principal  # noqa: E402

TENANT = UUID(os.environ["PEER_TENANT"])


async def known(connection: HTTPConnection, slug: str) -> Principal | None:
    """Whoever calls."""
    return Principal("known", TENANT, slug, "en", "UTC", "known", frozenset(Scope))


app = MCP("off", authenticate=known).asgi(at="/mcp")
