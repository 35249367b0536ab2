"""The shop's ASGI application.

uvicorn core.asgi:application --http mcp_server.http.connections:Protocol --ws none --timeout-keep-alive 75 \
--no-access-log
"""

import os

from django.core.asgi import get_asgi_application

from core.callers import authenticate
from core.instructions import INSTRUCTIONS
from core.scopes import Scope
from mcp_server import MCP, __version__

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

application = MCP(
    "django-tenant-mcp",
    version=__version__,
    instructions=INSTRUCTIONS,
    scopes=Scope,
    scopes_on_request=[Scope.DEMO_WRITE],
    authenticate=authenticate(),
    platform=True,
).asgi(django=get_asgi_application(), at="/mcp")
