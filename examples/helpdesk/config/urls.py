"""What Django answers beside the MCP endpoint."""

from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("The helpdesk is at /mcp/<organisation>/.\n", "text/plain"))]
