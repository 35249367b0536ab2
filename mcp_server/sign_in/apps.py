"""The Django app of the sign-in."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SignInConfig(AppConfig):
    name = "mcp_server.sign_in"
    label = "mcp_sign_in"
    verbose_name = _("MCP sign-in")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mcp_server import labels
        from mcp_server.sign_in.labels import FIELDS, MODELS

        labels.apply(MODELS, FIELDS)
