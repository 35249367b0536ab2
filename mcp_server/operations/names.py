"""Names of models, tables and columns in a migration, and as SQL."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db.migrations.utils import resolve_relation
from django.db.models import Model

# Needs no quotes: it has an underscore, so it is no keyword, or is a word that is none (PostgreSQL, appendix C).
PLAIN_NAME = re.compile(r"id|slug|subdomain|public|(?!current_|session_|system_)[a-z][a-z0-9]*(_[a-z0-9]+)+")


def model_of(label: str, app_label: str, state: Any) -> type[Model]:
    """The model "app.Model", or "Model" of the migration's own app, as the migrations know it.

    Raises ImproperlyConfigured: no migration before this one makes it.
    """
    try:
        model: type[Model] = state.apps.get_model(*resolve_relation(label, app_label))
    except LookupError:
        raise ImproperlyConfigured(
            f"no migration before this one makes {label}: add the one that does to the dependencies"
        ) from None
    return model


def field_of(model: type[Model], name: str) -> Any:
    """A field of a model. Raises ImproperlyConfigured."""
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(f"{model._meta.label} has no field {name} where this migration runs") from None


def column_of(model: type[Model], name: str) -> str:
    """The column of a field, "pk" for that of the key. Raises ImproperlyConfigured: there is no such field."""
    return str((model._meta.pk if name == "pk" else field_of(model, name)).column)


def fields_of(model: type[Model]) -> set[str]:
    """The names of the fields of a model."""
    return {field.name for field in model._meta.fields}


def is_unique(model: type[Model], name: str) -> bool:
    """Whether two rows never have one value in this field."""
    constraints = [tuple(each.fields) for each in model._meta.total_unique_constraints]
    return bool(field_of(model, name).unique) or (name,) in constraints


def table_of(model: type[Model]) -> str:
    """The table of a model as SQL, with its schema: functions of ours search pg_catalog alone."""
    schema, name = schema_and_name(model._meta.db_table)
    return f"{identifier(schema or 'public')}.{identifier(name)}"


def schema_and_name(db_table: str) -> tuple[str, str]:
    """The schema of a model's table, '' where it names none, and the table's name as PostgreSQL says it."""
    # Django quotes a db_table that has no quotes yet; '"schema"."table"' is how projects name a schema to it.
    schema, _, name = db_table.rpartition('"."')
    return schema.strip('"'), name.strip('"')


def identifier(name: str) -> str:
    """A name as SQL, in quotes where it could be a keyword or has other than small letters."""
    return name if PLAIN_NAME.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as SQL (standard_conforming_strings is on, as PostgreSQL has it since 9.1)."""
    return "'" + value.replace("'", "''") + "'"
