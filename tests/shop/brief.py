"""The project's application, whose streams end soon."""

from __future__ import annotations

import django

django.setup()

from mcp_server import subscriptions  # noqa: E402

subscriptions.LIFETIME = 0.0

from mcp_server.asgi import app  # noqa: E402

__all__ = ["app"]
