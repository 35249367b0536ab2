"""The Django app of the tokens."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class TokensConfig(AppConfig):
    name = "mcp_server.tokens"
    label = "mcp_tokens"
    verbose_name = _("MCP tokens")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mcp_server import labels
        from mcp_server.tokens.checks import check_resolver, check_tenant_key
        from mcp_server.tokens.labels import FIELDS, MODELS

        labels.apply(MODELS, FIELDS)
        register(check_resolver, "mcp")
        register(check_tenant_key, "mcp")
