"""The Django app of the domain."""

from django.apps import AppConfig
from django.core.checks import register

from core import zones


class CoreConfig(AppConfig):
    name = "core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(zones.check_rules, "time")
