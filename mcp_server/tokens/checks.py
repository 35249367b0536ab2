"""System checks: the function that finds a token's bearer is installed by a migration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Warning
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.utils import resolve_relation
from django.db.models import CharField, Model, UUIDField

from mcp_server.operations import InstallResolver
from rls.checks.settings import tenant_model

# The migration that ends every resolver that was made before it.
TOKENS = ("mcp_tokens", "0003_tokens_of_members")
TOKENS_LINE = '("mcp_tokens", "0003_tokens_of_members")'


def check_resolver(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """mcp_server.W004: no migration makes app.resolve_principal() after that of the tokens, so that nobody can call.

    It is no error, and waits for the tenant model's first migration: `makemigrations` has to run before it is mended.
    """
    model = tenant_model()
    loader = MigrationLoader(None, ignore_no_migrations=True)
    if model is None or not any(app_label == model._meta.app_label for app_label, _ in loader.disk_migrations):
        return []
    made = [
        key
        for key, migration in loader.graph.nodes.items()
        if any(isinstance(each, InstallResolver) for each in migration.operations)
    ]
    return [] if any(TOKENS in loader.graph.forwards_plan(key) for key in made) else [_missing(model)]


def check_tenant_key(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """mcp_server.E007: a resolver is made for a model whose key is no UUID, so that each call would fail."""
    migrations = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    named = {
        resolve_relation(operation.options["tenant"], app_label)
        for (app_label, _), migration in migrations.items()
        for operation in migration.operations
        if isinstance(operation, InstallResolver)
    }
    # One that there is no more has another name by now, which a later migration says.
    found = [apps.all_models[app_label].get(name) for app_label, name in sorted(named)]
    return [_without_uuid(model) for model in found if model and not isinstance(model._meta.pk, UUIDField)]


def _without_uuid(model: type[Model]) -> CheckMessage:
    return Error(
        f"InstallResolver makes app.resolve_principal() for {model._meta.label}, whose key is no UUIDField: no context "
        "opens with it, and each call would fail.",
        hint=f"Derive it from rls.models.Keyed: class {model.__name__}(Keyed).",
        obj=model,
        id="mcp_server.E007",
    )


def _missing(model: type[Model]) -> CheckMessage:
    unique = [field.name for field in model._meta.fields if isinstance(field, CharField) and field.unique]
    slug = unique[0] if unique else "..."
    return Warning(
        f"No migration after {TOKENS_LINE} makes app.resolve_principal(), which finds the bearer of a token: nobody "
        "can call.",
        hint=f'Write InstallResolver(tenant="{model._meta.label}", slug="{slug}"), of mcp_server.operations, into a '
        f"migration of {model._meta.app_label} that depends on {TOKENS_LINE}.",
        obj=model,
        id="mcp_server.W004",
    )
