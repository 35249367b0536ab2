"""System checks: a unique key of a tenanted model starts with the tenant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.indexes import OpClass
from django.core.checks import CheckMessage, Error
from django.db.migrations.writer import MigrationWriter
from django.db.models import F, Model, OneToOneField, UniqueConstraint
from django.db.models.expressions import OrderBy

from rls.models import Tenanted
from rls.schema.keys import constraint_name

TENANT_FIELDS = ("tenant", "tenant_id")


def check_unique(model: type[Model]) -> Iterator[CheckMessage]:
    """What is unique across tenants in a tenanted model: it tells one tenant what another has taken."""
    yield from _fields(model)
    yield from _constraints(model)


def unique_constraint(model_name: str, fields: Sequence[str]) -> str:
    """The source of a constraint that makes `fields` unique inside a tenant."""
    others = [name for name in fields if name not in TENANT_FIELDS]
    name = constraint_name("_".join([model_name, *others]), "unique")
    return f'models.UniqueConstraint(fields={_list(["tenant", *others])}, name="{name}")'


def _fields(model: type[Model]) -> Iterator[CheckMessage]:
    for field in model._meta.local_fields:
        if not field.unique or field.primary_key or field.name == "tenant":
            continue
        unique = unique_constraint(str(model._meta.model_name), [field.name])
        if isinstance(field, OneToOneField):
            related = field.related_model
            target = related if isinstance(related, str) else related._meta.label
            rest = ", null=True" if field.null else ""
            if isinstance(related, type) and issubclass(related, Tenanted):
                rest += ", db_constraint=False"
            on_delete = getattr(field.remote_field.on_delete, "__name__", "CASCADE")
            yield Error(
                f"{model._meta.label}.{field.name} is unique across tenants, as every OneToOneField is.",
                hint=f'Write {field.name} = models.ForeignKey("{target}", on_delete=models.{on_delete}{rest})'
                f" and {unique}.",
                obj=field,
                id="rls.E007",
            )
        else:
            yield Error(
                f"{model._meta.label}.{field.name} is unique across tenants, "
                "and tells one tenant what another has taken.",
                hint=f"Remove unique=True and add {unique}.",
                obj=field,
                id="rls.E006",
            )


def _constraints(model: type[Model]) -> Iterator[CheckMessage]:
    for fields in model._meta.unique_together:
        if fields[0] not in TENANT_FIELDS:
            unique = unique_constraint(str(model._meta.model_name), fields)
            yield _wide(model, "unique_together", f"Remove it and add {unique}.")
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and not _starts_with_the_tenant(constraint):
            yield _wide(model, f"constraint {constraint.name}", f"Write {_with_tenant(constraint)}.")
        elif isinstance(constraint, ExclusionConstraint) and not _compares_the_tenant(constraint):
            hint = 'Put ("tenant", "=") first in its expressions; of a uuid that needs BtreeGistExtension.'
            yield _wide(model, f"constraint {constraint.name}", hint)


def _wide(model: type[Model], what: str, hint: str) -> CheckMessage:
    return Error(
        f"{model._meta.label}: {what} does not start with the tenant and tells one tenant what another has taken.",
        hint=hint,
        obj=model,
        id="rls.E006",
    )


def _starts_with_the_tenant(constraint: UniqueConstraint) -> bool:
    if constraint.fields:
        return constraint.fields[0] in TENANT_FIELDS
    first = constraint.expressions[0]
    if isinstance(first, OrderBy):
        first = first.expression
    return isinstance(first, F) and first.name in TENANT_FIELDS  # type: ignore[attr-defined]  # missing in the stubs


def _compares_the_tenant(constraint: ExclusionConstraint) -> bool:
    """Rows of two tenants never exclude each other."""
    for expression, operator in constraint.expressions:
        column = expression
        while isinstance(column, OrderBy | OpClass):
            [column] = column.get_source_expressions()
        name = column.name if isinstance(column, F) else column  # type: ignore[attr-defined]  # missing in the stubs
        if name in TENANT_FIELDS and operator == "=":
            return True
    return False


def _with_tenant(constraint: UniqueConstraint) -> str:
    """The source of `constraint` with the tenant first."""
    _, expressions, options = constraint.deconstruct()
    if constraint.fields:
        others = [name for name in options.pop("fields") if name not in TENANT_FIELDS]
        arguments = [f"fields={_list(['tenant', *others])}"]
    else:
        arguments = ['"tenant"', *(_source(each) for each in expressions if each not in (F("tenant"), F("tenant_id")))]
    arguments.append(f'name="{options.pop("name")}"')
    arguments += [f"{name}={_source(value)}" for name, value in options.items()]
    return f"models.UniqueConstraint({', '.join(arguments)})"


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _source(value: object) -> str:
    """Python source as migrations write it, with the class names that a models module imports."""
    source, _ = MigrationWriter.serialize(value)
    return re.sub(r"\bdjango\.[\w.]+\.(?=[A-Z])", "", source)
