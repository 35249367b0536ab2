"""The Django app of the library: `rls` in INSTALLED_APPS."""

from importlib.util import find_spec

from django.apps import AppConfig


class RlsConfig(AppConfig):
    name = "rls"
    verbose_name = "Row-level security"

    def ready(self) -> None:
        from rls.checks import models, settings, shared, sql  # noqa: F401  (registers them)

        if find_spec("rest_framework"):
            from rls import rest_framework

            rest_framework.install()
