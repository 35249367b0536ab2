"""The project's application, whose streams end soon."""

from __future__ import annotations

import django

django.setup()

from mcp_server.watch import subscriptions  # noqa: E402

subscriptions.STREAM_LIFETIME = 0.0

from core.asgi import application as app  # noqa: E402

__all__ = ["app"]
