"""The application: Django, and MCP at /mcp/<organisation>/."""

import os

from django.core.asgi import get_asgi_application

from mcp_server import MCP

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = MCP(
    name="helpdesk",
    version="1.0",
    instructions="The helpdesk of one organisation. Answer a ticket before you close it.",
    scopes=["tickets:read", "tickets:write"],
).asgi(django=get_asgi_application(), at="/mcp")
