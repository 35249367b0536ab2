"""The Django app of the library: `rls` in INSTALLED_APPS."""

from django.apps import AppConfig


class RlsConfig(AppConfig):
    name = "rls"
    verbose_name = "Row-level security"

    def ready(self) -> None:
        from rls import checks, setup_checks, sql_checks  # noqa: F401  (registers them)
