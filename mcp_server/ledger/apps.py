"""The Django app of the ledger."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "mcp_server.ledger"
    label = "mcp_ledger"
    verbose_name = "MCP ledger"
    default_auto_field = "django.db.models.BigAutoField"
