"""The project's application, which waits for a request as long as a test does."""

from __future__ import annotations

import django

django.setup()

from mcp_server.http import connections, exchanges  # noqa: E402

connections.HEAD_TIMEOUT = exchanges.BODY_TIMEOUT = 0.5

from core.asgi import application as app  # noqa: E402

__all__ = ["app"]
