"""The shop's ASGI application.

uvicorn core.asgi:application --http mcp_server.http.connections:Protocol --ws none --timeout-keep-alive 75 \
--no-access-log
"""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.utils.translation import gettext_lazy as _

from core.instructions import INSTRUCTIONS
from core.scopes import Scope
from mcp_server import MCP, Limits, __version__, anyone, by_token

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

application = MCP(
    "django-tenant-mcp",
    version=__version__,
    description=_("One tenant's shop: its products, stock, orders, customers and figures."),
    instructions=INSTRUCTIONS,
    scopes=Scope,
    scopes_on_request=[Scope.DEMO_WRITE],
    authenticate=anyone if settings.MCP_AUTH == "public" else by_token,
    platform=True,
    limits=Limits(
        tenant=settings.MCP_LIMIT_TENANT,
        principal=settings.MCP_LIMIT_PRINCIPAL,
        failed_logins=settings.MCP_LIMIT_FAILED_LOGINS,
        at_once=settings.MCP_LIMIT_AT_ONCE,
    ),
).asgi(django=get_asgi_application(), at="/mcp")
