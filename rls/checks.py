"""System checks: what a model must be before it can be safe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.db.models import ForeignKey, Model

from rls.models import Tenanted


@register("rls")
def check_models(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every model is tenanted, or listed as shared with a reason; relations between tenanted models are safe."""
    found: list[CheckMessage] = []
    shared: dict[str, str] = settings.RLS_SHARED_MODELS
    labels = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    for model in apps.get_models(include_auto_created=True):
        found += [*_placement(model, shared), *_relations(model)]
    for label in sorted(shared.keys() - labels):
        found.append(
            Error(
                f"RLS_SHARED_MODELS names {label}, which is no model.",
                hint="Remove the stale line.",
                id="rls.E002",
            )
        )
    return found


def _placement(model: type[Model], shared: dict[str, str]) -> Iterator[CheckMessage]:
    label = model._meta.label
    if not model._meta.managed or model._meta.proxy:
        return
    if issubclass(model, Tenanted) == bool(shared.get(label, "").strip()):
        yield Error(
            f"{label} must be either tenanted or shared.",
            hint=f'Derive it from rls.models.Tenanted, or add "{label}": "<the reason>" to RLS_SHARED_MODELS.',
            obj=model,
            id="rls.E001",
        )


def _relations(model: type[Model]) -> Iterator[CheckMessage]:
    if not issubclass(model, Tenanted):
        return
    for field in model._meta.local_fields:
        related = field.related_model
        if (
            isinstance(field, ForeignKey)
            and isinstance(related, type)
            and issubclass(related, Tenanted)
            and field.db_constraint  # type: ignore[attr-defined]  # missing in the stubs
        ):
            yield Error(
                f"{model._meta.label}.{field.name} has a foreign key without the tenant, "
                "which accepts another tenant's id.",
                hint=f"Say db_constraint=False and put the constraint (tenant_id, {field.column}) "
                f"REFERENCES {related._meta.db_table} (tenant_id, id) into the SQL file.",
                obj=field,
                id="rls.E003",
            )
