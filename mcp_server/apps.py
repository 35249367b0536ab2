"""The Django app of the library."""

from django.apps import AppConfig
from django.core.checks import Tags, register


class McpServerConfig(AppConfig):
    name = "mcp_server"
    verbose_name = "MCP server"

    def ready(self) -> None:
        from mcp_server.checks import check_installed, check_names, check_scopes, check_timeouts, check_tools

        register(check_scopes, "mcp")
        register(check_installed, "mcp")
        register(check_tools, "mcp")
        register(check_names, "mcp")
        register(check_timeouts, "mcp", Tags.database)
