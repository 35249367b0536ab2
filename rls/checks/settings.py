"""System checks: the settings that row-level security stands on, and the tenant model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db.models import BooleanField, Model, UUIDField

from rls.router import RoleRouter

ENGINE = "rls.backends.postgresql"
ROUTER = "rls.router.RoleRouter"


@register("rls")
def check_setup(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The backend and the router are in place, and the tenant model can be the root of isolation."""
    return [*_engine(), *_router(), *_time_zone(), *_commands(), *_tenant_model()]


def tenant_model() -> type[Model] | None:
    """The model that RLS_TENANT_MODEL names; None where it names none."""
    try:
        return apps.get_model(getattr(settings, "RLS_TENANT_MODEL", ""))
    except (LookupError, ValueError):
        return None


def _engine() -> Iterator[CheckMessage]:
    if getattr(settings, "DATABASES", {}).get("default", {}).get("ENGINE") != ENGINE:
        yield Error(
            "The default database connection does not send the tenant with each statement.",
            hint=f'Set DATABASES["default"]["ENGINE"] = "{ENGINE}".',
            id="rls.E014",
        )


def _router() -> Iterator[CheckMessage]:
    routers = getattr(settings, "DATABASE_ROUTERS", [])
    if not any(router == ROUTER or isinstance(router, RoleRouter) for router in routers):
        yield Error(
            "Platform work would reach the database as the role that serves tenants.",
            hint=f'Set DATABASE_ROUTERS = ["{ROUTER}"].',
            id="rls.E015",
        )


def _time_zone() -> Iterator[CheckMessage]:
    database = getattr(settings, "DATABASES", {}).get("default", {})
    if not settings.USE_TZ or database.get("TIME_ZONE") not in (None, "UTC"):
        yield Error(
            "The connection's time zone is not UTC: Django would call set_config(), which 0001_superuser.sql revokes.",
            hint='Set USE_TZ = True, and remove TIME_ZONE from DATABASES["default"].',
            id="rls.E020",
        )


def _commands() -> Iterator[CheckMessage]:
    names = [config.name for config in apps.get_app_configs()]
    # Django takes a command from the app that stands first in INSTALLED_APPS.
    if "django.contrib.auth" in names and names.index("django.contrib.auth") < names.index("rls"):
        yield Warning(
            "rls stands behind django.contrib.auth: createsuperuser and changepassword are Django's own, "
            "which work as the role that serves tenants.",
            hint='Put it first: INSTALLED_APPS = ["rls", ...].',
            id="rls.W022",
        )


def _tenant_model() -> Iterator[CheckMessage]:
    name = getattr(settings, "RLS_TENANT_MODEL", None)
    model = tenant_model()
    if model is None:
        yield Error(
            f"RLS_TENANT_MODEL names {name}, which is not a model." if name else "RLS_TENANT_MODEL is not set.",
            hint='Set RLS_TENANT_MODEL = "<app>.<Model>", such as "helpdesk.Organisation".',
            id="rls.E011",
        )
        return
    if not isinstance(model._meta.pk, UUIDField):
        yield Error(
            f"The primary key of {model._meta.label} is not a UUIDField, and policies compare it with a uuid.",
            hint="Derive it from rls.models.Keyed, or add "
            "id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False).",
            obj=model,
            id="rls.E012",
        )
    if not any(field.name == "is_active" and isinstance(field, BooleanField) for field in model._meta.fields):
        yield Error(
            f"{model._meta.label} has no boolean field is_active, so no tenant can be suspended.",
            hint="Add is_active = models.BooleanField(default=True).",
            obj=model,
            id="rls.E013",
        )
