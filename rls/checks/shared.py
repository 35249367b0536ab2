"""System check: what a shared table needs in the SQL files, once a migration on disk makes it.

No role but the owner has a right on a new table. Of a tenanted one `rls new` writes the rights together with the
policies; of a shared one, Django's own and those of third parties among them, `rls grant` writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.checks import CheckMessage, Error, register
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model

from rls.checks.models import has_table, is_tenanted
from rls.checks.settings import tenant_model
from rls.schema.granted import Granted
from rls.schema.keys import canonical

CACHE_REASON = "Shared: the cache, whose keys say whose a value is."


@dataclass(frozen=True, slots=True)
class SharedTable:
    """A table that tenants have in common, why, and the former name under which its rights are declared, if any."""

    name: str
    reason: str
    former: str | None = None
    is_cache: bool = False


@register("rls")
def check_shared(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every shared table that a migration makes is granted in a SQL file that a migration runs."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    if loader.detect_conflicts():
        return []  # Django asks to merge them, and until then they have no common end.
    found = Granted.read(loader)
    if not is_begun(found):
        return []
    return [*_models(found), *_caches(found)]


def is_begun(found: Granted) -> bool:
    """Whether the project has migrations: before that there is no place for a migration that grants."""
    root = tenant_model()
    return root is not None and bool(found.tables(*_key(root)))


def shared_models() -> Iterator[type[Model]]:
    """Each model that is listed in RLS_SHARED_MODELS and has a table, but for the tenant model."""
    for model in apps.get_models():
        listed = getattr(settings, "RLS_SHARED_MODELS", {}).get(model._meta.label, "").strip()
        if listed and has_table(model) and not is_tenanted(model) and model is not tenant_model():
            yield model


def lacking(model: type[Model], found: Granted) -> list[SharedTable]:
    """The tables of `model` that no SQL file grants: its own, and those that Django makes for its relations."""
    shared: dict[str, str] = getattr(settings, "RLS_SHARED_MODELS", {})
    through = {
        field.name: field.remote_field.through._meta.label
        for field in model._meta.local_many_to_many
        if isinstance(field.remote_field.through, type)
    }
    return [
        SharedTable(
            table, shared.get(through.get(name, "")) or shared[model._meta.label], former=found.renamed.get(table)
        )
        for name, table in found.tables(*_key(model)).items()
        if found.lacks(table) and (not name or name in through)
    ]


def lacking_caches(found: Granted) -> list[SharedTable]:
    """The tables of the caches that are in the database, as far as no SQL file makes and grants them."""
    made = [caches[alias] for alias in settings.CACHES]
    tables = [cache._table for cache in made if isinstance(cache, BaseDatabaseCache)]  # type: ignore[attr-defined]  # private
    names = [canonical(str(table)) for table in tables]
    return [SharedTable(name, CACHE_REASON, is_cache=True) for name in dict.fromkeys(names) if found.lacks(name)]


def _models(found: Granted) -> Iterator[CheckMessage]:
    for model in shared_models():
        if tables := lacking(model, found):
            names = ", ".join(table.name for table in tables)
            yield Error(
                f"{model._meta.label} is shared, and no SQL file lets anybody use {names}.",
                hint=f"manage.py rls grant {model._meta.label} writes it; manage.py rls grant --all writes what every "
                "shared model lacks.",
                obj=model,
                id="rls.E021",
            )


def _caches(found: Granted) -> Iterator[CheckMessage]:
    for table in lacking_caches(found):
        yield Error(
            f"CACHES names the table {table.name}, and no SQL file lets anybody use it.",
            hint="manage.py rls grant --all writes it, with the table.",
            id="rls.E021",
        )


def _key(model: type[Model]) -> tuple[str, str]:
    return model._meta.app_label, str(model._meta.model_name)
