"""System checks: what a model must be before it can be safe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.db.migrations.loader import MigrationLoader
from django.db.models import ForeignKey, ManyToManyField, Model, OneToOneField, UUIDField

from rls.checks.settings import tenant_model
from rls.checks.unique import check_unique, unique_constraint
from rls.models import Tenanted
from rls.schema.keys import TenantForeignKey, canonical
from rls.schema.written import Written


@register("rls")
def check_models(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every model is tenanted, or listed as shared with a reason; relations and keys of tenanted models are safe."""
    found: list[CheckMessage] = []
    shared: dict[str, str] = getattr(settings, "RLS_SHARED_MODELS", {})
    labels = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    for model in apps.get_models(include_auto_created=True):
        found += check_model(model, shared)
    for label in sorted(shared.keys() - labels):
        found.append(
            Error(
                f"RLS_SHARED_MODELS names {label}, which is not a model.",
                hint="Remove the stale line.",
                id="rls.E002",
            )
        )
    return found


def check_model(model: type[Model], shared: dict[str, str]) -> Iterator[CheckMessage]:
    """What is wrong with one model; `shared` is RLS_SHARED_MODELS."""
    yield from _tenant_column(model, shared)
    if not has_table(model) or _joins_tenanted(model):
        return
    yield from _placement(model, shared)
    yield from _many_to_many(model, shared)
    if not issubclass(model, Tenanted):
        yield from _shared_relations(model, shared)
    elif model._meta.parents:
        yield from _parents(model)
    else:
        yield from _relations(model)
        yield from _primary_key(model)
        yield from _tenant_field(model)
        yield from check_unique(model)


def has_table(model: type[Model]) -> bool:
    """Whether Django makes a table for `model`."""
    return bool(model._meta.managed and not model._meta.proxy and not model._meta.swapped)


def is_tenanted(model: object) -> TypeGuard[type[Tenanted]]:
    """Whether `model` is a tenanted model; a name that stands for none, and None, are not."""
    return isinstance(model, type) and issubclass(model, Tenanted)


def _joins_tenanted(model: type[Model]) -> bool:
    """Whether `model` is the table that Django makes for a ManyToManyField of which rls.E004 or rls.E005 speaks."""
    return bool(model._meta.auto_created) and any(
        is_tenanted(field.related_model) for field in model._meta.local_fields
    )


def _placement(model: type[Model], shared: dict[str, str]) -> Iterator[CheckMessage]:
    label = model._meta.label
    if is_tenanted(model) == _is_listed(model, shared):
        column = next((field for field in model._meta.local_fields if field.column == "tenant_id"), None)
        either = f'Derive it from rls.models.Tenanted, or add "{label}": "<the reason>" to RLS_SHARED_MODELS.'
        yield Error(
            f"{label} must be either tenanted or shared.",
            hint=_place_of_rows(model, column) if column and not is_tenanted(model) else either,
            obj=model,
            id="rls.E001",
        )


def _is_listed(model: type[Model], shared: dict[str, str]) -> bool:
    return bool(shared.get(model._meta.label, "").strip())


def _tenant_column(model: type[Model], shared: dict[str, str]) -> Iterator[CheckMessage]:
    """A shared model whose rows are some tenant's all the same: no role could reach them."""
    if is_tenanted(model) or not _is_listed(model, shared) or model._meta.swapped:
        return
    for field in model._meta.local_fields:
        if field.column == "tenant_id":
            why = "the database puts its table under row-level security, and no policy shows a row of it"
        elif _leads_to_tenants(model, field) and not _is_declared(model):
            why = "no policy checks whose they are"
        else:
            continue
        yield Error(
            f"{model._meta.label} is shared and its rows are tenants' ({field.name}, column {field.column}): {why}.",
            hint=_place_of_rows(model, field),
            obj=field,
            id="rls.E031",
        )


def _leads_to_tenants(model: type[Model], field: Any) -> bool:
    return isinstance(field, ForeignKey) and field.related_model is tenant_model() is not model


def _is_declared(model: type[Model]) -> bool:
    """Whether a SQL file declares what the audit would find: tenant-hidden."""
    table = canonical(model._meta.db_table)
    name = re.escape(table if "." in table else f"public.{table}")
    return Written.read(MigrationLoader(None, ignore_no_migrations=True)).is_declared(
        "tenant-hidden", rf"{name}\.[^.]+"
    )


def _place_of_rows(model: type[Model], field: Any) -> str:
    """What to do with a shared model that has a tenant."""
    label = model._meta.label
    remove = f"and leave {label} out of RLS_SHARED_MODELS"
    if not model._meta.managed:
        return f"Leave {label} out of RLS_SHARED_MODELS: Django makes no table for it, and its rows are a tenant's."
    if auto := model._meta.auto_created:
        owner = auto._meta.label if isinstance(auto, type) else label
        return f"Give the ManyToManyField of {owner} a tenanted model as its through=, {remove}."
    hint = f"Derive it from rls.models.Tenanted (a model that another package makes takes it as its base), {remove}."
    if isinstance(field, ForeignKey):
        return hint
    return f"{hint} Where it names no tenant, give it another column with db_column=."


def _relations(model: type[Model]) -> Iterator[CheckMessage]:
    for field in model._meta.local_fields:
        related = field.related_model
        if (
            isinstance(field, ForeignKey)
            and not isinstance(field, OneToOneField)
            and is_tenanted(related)
            and field.db_constraint  # type: ignore[attr-defined]  # missing in the stubs
        ):
            yield Error(
                f"{model._meta.label}.{field.name} has a foreign key without the tenant, "
                "which accepts another tenant's id.",
                hint=f"Set db_constraint=False; manage.py rls new {model._meta.label} then writes the constraint "
                f"{_references(model, field)} into a SQL file.",
                obj=field,
                id="rls.E003",
            )


def _references(model: type[Model], field: ForeignKey[Any, Any]) -> str:
    parent = field.related_model._meta
    key = (parent.pk and parent.pk.column) or "id"
    return TenantForeignKey(canonical(model._meta.db_table), field.column, canonical(parent.db_table), key).references


def _many_to_many(model: type[Model], shared: dict[str, str]) -> Iterator[CheckMessage]:
    for field in model._meta.local_many_to_many:
        through = field.remote_field.through
        if not (isinstance(through, type) and through._meta.auto_created and _joins_tenanted(through)):
            continue
        if not is_tenanted(model) and _is_listed(model, shared):
            continue
        name = f"{model.__name__}{field.name.title().replace('_', '')}"
        yield Error(
            f"{model._meta.label}.{field.name} makes a table without a tenant, a policy and keys that include the "
            "tenant.",
            hint=f'Set through="{model._meta.app_label}.{name}" and write:\n{_through(field, name)}',
            obj=field,
            id="rls.E004",
        )


def _through(field: ManyToManyField[Any, Any], name: str) -> str:
    """The source of the model that stands for the table of `field`."""
    models: list[Any] = [field.model, field.related_model]  # the stubs allow for no model
    names = [str(model._meta.model_name) for model in models]
    if names[0] == names[1]:
        names = [f"from_{names[0]}", f"to_{names[0]}"]
    lines = [f"class {name}(Tenanted):"]
    for relation, model in zip(names, models, strict=True):
        safe = ", db_constraint=False" if is_tenanted(model) else ""
        hidden = ', related_name="+"' if models[0] is models[1] else ""
        lines.append(
            f'    {relation} = models.ForeignKey("{model._meta.label}", on_delete=models.CASCADE{safe}{hidden})'
        )
    unique = unique_constraint(name.lower(), names)
    return "\n".join([*lines, "", "    class Meta:", f"        constraints = [{unique}]"])


def _shared_relations(model: type[Model], shared: dict[str, str]) -> Iterator[CheckMessage]:
    if not _is_listed(model, shared):
        return
    for field in [*model._meta.local_fields, *model._meta.local_many_to_many]:
        related = field.related_model
        if isinstance(field, ForeignKey | ManyToManyField) and is_tenanted(related):
            yield Error(
                f"{model._meta.label} is shared and {field.name} refers to {related._meta.label}: "
                "a shared row would point into a tenant.",
                hint=f"Write class {model.__name__}(Tenanted) and remove its line from RLS_SHARED_MODELS, "
                f"or remove the field and let {related._meta.label} refer to {model._meta.label}.",
                obj=field,
                id="rls.E005",
            )


def _parents(model: type[Model]) -> Iterator[CheckMessage]:
    parents = ", ".join(parent._meta.label for parent in model._meta.parents)
    yield Error(
        f"{model._meta.label} extends the table of {parents}: one row lies in two tables, and one has no tenant_id.",
        hint="Move what they share into a base with class Meta: abstract = True, and derive each from that.",
        obj=model,
        id="rls.E008",
    )


def _primary_key(model: type[Model]) -> Iterator[CheckMessage]:
    if not isinstance(model._meta.pk, UUIDField):
        yield Error(
            f"The primary key of {model._meta.label} is not a UUIDField; a sequence tells how many rows others write.",
            hint="Remove the field: Tenanted brings "
            "id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False).",
            obj=model,
            id="rls.E009",
        )


def _tenant_field(model: type[Model]) -> Iterator[CheckMessage]:
    field = next((field for field in model._meta.local_fields if field.name == "tenant"), None)
    related = field.related_model if field else None
    name = related._meta.label if isinstance(related, type) else str(related)
    wanted = getattr(settings, "RLS_TENANT_MODEL", "")
    is_safe = isinstance(field, ForeignKey) and not field.null and field.column == "tenant_id"
    # Of a setting that names no model, rls.E011 speaks.
    if tenant_model() and not (is_safe and name.lower() == wanted.lower()):
        yield Error(
            f"{model._meta.label}.tenant is not a required foreign key tenant_id to {wanted}.",
            hint="Remove the field: Tenanted brings tenant = models.ForeignKey(settings.RLS_TENANT_MODEL, "
            "on_delete=models.CASCADE, db_default=CurrentTenant(), editable=False, db_index=False).",
            obj=field or model,
            id="rls.E010",
        )
