"""Our server without what can be left out: a function that knows the caller, no limits, no translation, no log."""

from __future__ import annotations

import os
from functools import cache
from uuid import UUID

from django.core.asgi import get_asgi_application
from starlette.requests import HTTPConnection

django = get_asgi_application()

from core.scopes import Scope  # noqa: E402  (needs Django's models)
from mcp_server import MCP, Limits, Principal  # noqa: E402

TENANT = UUID(os.environ["PEER_TENANT"])


@cache
def principal(slug: str) -> Principal:
    """The one caller."""
    return Principal("known", TENANT, slug, "en", "UTC", "known", frozenset(Scope))


async def known(connection: HTTPConnection, slug: str) -> Principal | None:
    """Whoever calls."""
    return principal(slug)


NO_LIMITS = Limits(tenant="", principal="", failed_logins="", at_once=0)
app = MCP("off", authenticate=known, limits=NO_LIMITS).asgi(at="/mcp")
