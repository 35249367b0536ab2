"""The fixtures beside the project's Django: `uvicorn tests.conformance.asgi:application`."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

from django.core.asgi import get_asgi_application

django = get_asgi_application()

from tests.conformance.fixtures import mcp  # noqa: E402

application = mcp.asgi(django=django, at="/mcp")
