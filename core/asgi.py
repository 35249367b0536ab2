"""The shop's ASGI application.

uvicorn core.asgi:application --http mcp_server.http.connections:Protocol --ws none --timeout-keep-alive 75 \\
    --no-access-log
"""

from __future__ import annotations

import os
from typing import cast

from django.core.asgi import get_asgi_application
from starlette.types import ASGIApp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
django_application = cast(ASGIApp, get_asgi_application())

from mcp_server.app import build  # noqa: E402  (Django is set up first)

application = build(django_application)
