"""The application: Django, and MCP at /mcp/<organisation>/."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django = get_asgi_application()

from helpdesk.scopes import Scope  # noqa: E402

from mcp_server import MCP  # noqa: E402

application = MCP(
    name="helpdesk",
    version="1.0",
    instructions="The helpdesk of one organisation. Answer a ticket before you close it.",
    scopes=Scope,
).asgi(django=django, at="/mcp")
