"""System checks: what a model needs in the SQL files, once a migration on disk makes its table.

A model or field that `makemigrations` has not written yet needs nothing: `makemigrations` runs the checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, register
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AlterField
from django.db.migrations.utils import resolve_relation
from django.db.models import ForeignKey, Model

from rls.checks.indexes import check_indexes, leads
from rls.checks.models import has_table, is_tenanted
from rls.checks.settings import tenant_model
from rls.schema.keys import TenantForeignKey, TenantKey
from rls.schema.written import Written


@register("rls")
def check_sql(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every tenanted table that a migration makes has its policy and its keys in a SQL file that a migration runs."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    if loader.detect_conflicts():
        return []  # Django asks to merge them, and until then they have no common end.
    found = Written.read(loader)
    indexes = [each for model in tenanted_tables() for each in check_indexes(model, found)]
    return [*_files(found), *_taken(found), *_policies(found), *_keys(found), *_leading(found), *indexes]


def tenanted_tables() -> Iterator[type[Model]]:
    """Each tenanted model with a table of its own."""
    for model in apps.get_models():
        if is_tenanted(model) and has_table(model) and not model._meta.parents:
            yield model


def required_keys(found: Written) -> Iterator[tuple[ForeignKey[Any, Any], TenantForeignKey]]:
    """Each foreign key between tenanted models that the migrations know, with the constraint that it needs."""
    for model in tenanted_tables():
        for field in model._meta.local_fields:
            if isinstance(field, ForeignKey) and (key := required_key(field, found)):
                yield field, key


def required_key(field: ForeignKey[Any, Any], found: Written) -> TenantForeignKey | None:
    """The constraint of `field`; None where it needs none, or where a migration is still to be made."""
    child, parent = field.model, field.related_model
    known = found.state.models.get(_key(child))
    known_field = known.fields.get(field.name) if known else None
    if not (is_tenanted(parent) and isinstance(known_field, ForeignKey)):
        return None
    target = resolve_relation(known_field.remote_field.model, *_key(child))
    table, column, parent_key = table_of(child, found), found.column(*_key(child), field.name), key_of(parent, found)
    if target != _key(parent) or table is None or column is None or parent_key is None:
        return None
    return TenantForeignKey(table, column, parent_key.table, parent_key.column)


def table_of(model: type[Model], found: Written) -> str | None:
    """The table of `model`; None where the migrations do not know it, or know it without a tenant."""
    known = found.state.models.get(_key(model))
    if known is None or (is_tenanted(model) and "tenant" not in known.fields):
        return None
    return found.table(*_key(model))


def key_of(model: type[Model], found: Written) -> TenantKey | None:
    """The key of `model` that other tables may refer to; None where `table_of` is."""
    table = table_of(model, found)
    fields = found.state.models[_key(model)].fields if table else {}
    names = [name for name, field in fields.items() if field.primary_key]
    column = found.column(*_key(model), names[0]) if names else None
    return TenantKey(table, column) if table and column else None


def lacks_index(model: type[Model], found: Written) -> bool:
    """Whether the migrations know the table of `model`, and no index of it leads with the tenant."""
    table = table_of(model, found)
    is_led = table in found.led or any(key.table == table for key in found.tenant_keys)
    return not (table is None or is_led or leads(model))


def _key(model: type[Model]) -> tuple[str, str]:
    return model._meta.app_label, str(model._meta.model_name)


def _files(found: Written) -> Iterator[CheckMessage]:
    for origin in found.missing_files:
        yield Error(
            f"The migration {'.'.join(origin.migration)} runs {origin.file}.sql, which is missing.",
            hint="Restore the file: a shipped file is neither removed nor renamed.",
            id="rls.E019",
        )


def _taken(found: Written) -> Iterator[CheckMessage]:
    for taken in found.taken:
        if isinstance(taken.operation, AlterField):
            keys = ", ".join(key.name for key in taken.facts.foreign_keys)
            what = f"would leave {keys} of {taken.table} as it was, which refers to another table or is of another type"
        else:
            what = f"drops what SQL files made for {taken.table}, and reversing it would restore none of it"
        yield Error(
            f"The migration {'.'.join(taken.migration)} ({taken.operation.describe()}) {what}.",
            hint="manage.py rls new --all writes a SQL file that drops it before and restores it on the way "
            "back, and adds it to the migration.",
            id="rls.E030",
        )


def _policies(found: Written) -> Iterator[CheckMessage]:
    root = tenant_model()
    for model in [*([root] if root and has_table(root) else []), *tenanted_tables()]:
        table = table_of(model, found)
        if table is not None and table not in found.policies:
            yield Error(
                f"{model._meta.label} has no policy.",
                hint=f"manage.py rls new {model._meta.label} writes it.",
                obj=model,
                id="rls.E016",
            )


def _keys(found: Written) -> Iterator[CheckMessage]:
    parents: dict[TenantKey, type[Model]] = {}
    for field, key in required_keys(found):
        parents[key.parent_key] = field.related_model
        if key not in found.foreign_keys:
            yield Error(
                f"{field.model._meta.label}.{field.name} has no foreign key that includes the tenant.",
                hint=f"{' '.join(key.add.split())} manage.py rls new {field.model._meta.label} writes it.",
                obj=field,
                id="rls.E017",
            )
    for parent_key, parent in parents.items():
        if parent_key not in found.tenant_keys:
            yield Error(
                f"{parent._meta.label} has no unique key that includes the tenant, and foreign keys refer to it.",
                hint=f"{found.free(parent_key).add} manage.py rls new {parent._meta.label} writes it.",
                obj=parent,
                id="rls.E018",
            )


def _leading(found: Written) -> Iterator[CheckMessage]:
    for model in tenanted_tables():
        # Where the policies are missing too, rls.E016 speaks, and the same file brings the key.
        if lacks_index(model, found) and table_of(model, found) in found.policies:
            yield Error(
                f"{model._meta.label} has no index that starts with the tenant, by which every statement filters.",
                hint=f"manage.py rls new {model._meta.label} writes the key (tenant_id, id); or add "
                f'models.Index(fields=["tenant", ...], name=...).',
                obj=model,
                id="rls.E033",
            )
