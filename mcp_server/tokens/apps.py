"""The Django app of the tokens."""

from django.apps import AppConfig


class TokensConfig(AppConfig):
    name = "mcp_server.tokens"
    label = "mcp_tokens"
    verbose_name = "MCP tokens"
    default_auto_field = "django.db.models.BigAutoField"
