"""The Django app of the domain."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = _("Shops")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from core.labels import FIELDS, MODELS
        from mcp_server import labels

        labels.apply(MODELS, FIELDS)
