"""The shop's ASGI application.

uvicorn core.asgi:application --http mcp_server.http.connections:Protocol --ws none --timeout-keep-alive 75 \
--no-access-log
"""

import os
import sys

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from core.callers import authenticate
from core.instructions import INSTRUCTIONS
from core.scopes import Scope
from mcp_server import MCP, Limits, __version__
from mcp_server.spans import export

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

try:
    django = get_asgi_application()
    export.begin("django-tenant-mcp")
except ImproperlyConfigured as error:
    # Whatever started this, the sentence is said and no traceback.
    sys.exit(f"core.asgi: {error}")

application = MCP(
    "django-tenant-mcp",
    version=__version__,
    description=_("One tenant's shop: its products, stock, orders, customers and figures."),
    instructions=INSTRUCTIONS,
    scopes=Scope,
    scopes_on_request=[Scope.DEMO_WRITE],
    contacts_scope=Scope.CUSTOMERS_CONTACT,
    authenticate=authenticate(),
    platform=True,
    limits=Limits(
        tenant=settings.MCP_LIMIT_TENANT,
        principal=settings.MCP_LIMIT_PRINCIPAL,
        failed_logins=settings.MCP_LIMIT_FAILED_LOGINS,
        at_once=settings.MCP_LIMIT_AT_ONCE,
    ),
).asgi(django=django, at="/mcp")
