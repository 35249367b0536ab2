"""Chooses the connection, and so the database role, that a query uses."""

from __future__ import annotations

import functools
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.cache.backends.db import Options as CacheTable
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from rls.context import PLATFORM_ALIAS, platform_is_open

OWNER_ALIAS = "owner"


class RoleRouter:
    """`default` serves tenants, `platform` works across them, `owner` migrates: three roles of one database.

    Shared models of an app without tenanted models belong to the platform: Django's own, those of third parties. So do
    the users, wherever their model is, and the tables of caches. A shared model beside tenanted ones is what tenants
    have in common.

    There is no `allow_migrate`: all connections see the same tables, and where it returns False, `dumpdata` and `flush`
    find nothing to do and succeed. `rls`'s own `migrate` command works as the owner.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        if platform_is_open() or is_of_platform(model):
            return PLATFORM_ALIAS
        return DEFAULT_DB_ALIAS

    db_for_write = db_for_read

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True


def is_of_platform(model: Any) -> bool:
    """Whether the rows of `model` are the platform's own, which no tenant's code reaches as `app_tenant`."""
    if isinstance(model._meta, CacheTable):  # a cache in the database asks the router with a model of its own making
        return True
    table: type[Model] = model._meta.concrete_model or model
    if table._meta.label not in getattr(settings, "RLS_SHARED_MODELS", {}):
        return False
    return table._meta.app_label not in _apps_of_tenants() or _is_of_users(table)


@functools.cache
def _apps_of_tenants() -> frozenset[str]:
    """The labels of the apps that hold the tenant model or tenanted ones."""
    from rls.models import Tenanted  # models can't be imported before the settings of a project are there

    of_tenants = [model for model in apps.get_models() if issubclass(model, Tenanted)]
    root: str = getattr(settings, "RLS_TENANT_MODEL", "")
    return frozenset({model._meta.app_label for model in of_tenants} | {root.partition(".")[0]})


def _is_of_users(model: type[Model]) -> bool:
    """Whether `model` is that of the users, or the table that Django makes for one of its relations."""
    owner = model._meta.auto_created or model
    label = owner._meta.label if isinstance(owner, type) else ""
    return label.lower() == settings.AUTH_USER_MODEL.lower()
