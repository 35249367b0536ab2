"""System checks: the indexes of a tenanted model of which the audit would say index-useless or key-missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.indexes import OpClass
from django.core.checks import CheckMessage, Error
from django.core.exceptions import FieldDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import F, Field, ForeignKey, Index, Model, UniqueConstraint
from django.db.models.expressions import OrderBy
from django.db.models.functions import Collate

from rls.checks.models import is_tenanted
from rls.schema.keys import canonical
from rls.schema.written import Written

# Types whose comparisons PostgreSQL marks leakproof, from 15 to 18: only these are asked before a policy (41.5).
LEAKPROOF_TYPES = re.compile(
    r"(?:bigint|bit|boolean|bytea|char|character|cidr|date|double precision|inet|integer|interval|macaddr8?|money|oid"
    r"|real|smallint|text|timestamp|timetz|time|uuid|varbit|varchar)"
    r"(?: varying)?(?:\(\d+\))?(?: with(?:out)? time zone)?"
)
# Operator classes that search inside a text, for which such a type is no help.
SEARCHING_OPCLASSES = re.compile(r".*(?:pattern|trgm)_ops")
# Those of networks ask whether one holds another, but for these.
NETWORK_METHODS = ("brin", "gist", "spgist")
NETWORK_COMPARING_OPCLASSES = re.compile(r"inet_(?:bloom|minmax_multi|minmax)_ops|gist_(?:inet|cidr)_ops")

USELESS_REASON = "PostgreSQL evaluates what is not leakproof after the policy, so no tenant's statement can use it"
DECLARE_HINT = "where it serves the platform alone, declare it in app.declared_exceptions (index-useless)"


class Column(NamedTuple):
    """What an index holds: a field, or an expression (None), and the operator class that is named for it."""

    field: Field[Any, Any] | None
    opclass: str
    source: str


def check_indexes(model: type[Model], found: Written) -> Iterator[CheckMessage]:
    """The indexes of a tenanted model that turn the audit red; `found` says what is declared."""
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":  # of another engine rls.E014 speaks
        return
    yield from _useless(model, found)
    yield from _useless_fields(model, found)
    yield from _unheld(model, found)


def leads(model: type[Model]) -> bool:
    """Whether an index that Django makes for `model` leads with the tenant."""
    tenant: Any = _field(model, "tenant")
    if tenant is not None and (tenant.db_index or tenant.unique):
        return True
    made = [
        each for each in [*model._meta.indexes, *model._meta.constraints] if getattr(each, "condition", True) is None
    ]
    first = [columns(model, each)[0].field for each in made if isinstance(each, Index | UniqueConstraint)]
    first += [_column(model, each.expressions[0][0]).field for each in made if isinstance(each, ExclusionConstraint)]
    first += [_field(model, fields[0]) for fields in model._meta.unique_together]
    return tenant is not None and tenant in first


def columns(model: type[Model], index: Index | UniqueConstraint) -> list[Column]:
    """The columns of an index of `model`, without those of INCLUDE."""
    opclasses = [*index.opclasses, *[""] * len(index.fields)]  # type: ignore[union-attr]  # missing in the stubs
    names = [name.removeprefix("-") for name in index.fields]
    named = [Column(_field(model, name), opclass, name) for name, opclass in zip(names, opclasses, strict=False)]
    return named + [_column(model, each) for each in index.expressions]


def is_leakproof(column: Column, method: str) -> bool:
    """Whether every operator with which an index of the access method `method` searches the column is leakproof."""
    if column.field is None or SEARCHING_OPCLASSES.fullmatch(column.opclass):
        return False
    kind = _type(column.field)
    if kind in ("inet", "cidr") and method in NETWORK_METHODS:
        return NETWORK_COMPARING_OPCLASSES.fullmatch(column.opclass) is not None or (
            method == "gist" and not column.opclass
        )
    return LEAKPROOF_TYPES.fullmatch(kind) is not None


def _useless(model: type[Model], found: Written) -> Iterator[CheckMessage]:
    for index in model._meta.indexes:
        method = index.suffix if index.suffix != Index.suffix else "btree"
        slow = [column.source for column in columns(model, index) if not is_leakproof(column, method)]
        if slow and not _is_declared(found, rf"{re.escape(index.name)} ON .*"):
            yield Error(
                f"{model._meta.label}: index {index.name} is useless for {', '.join(slow)}: {USELESS_REASON}.",
                hint="Remove it, or index integers, texts, dates or uuids, such as a GeneratedField that is stored; "
                f"{DECLARE_HINT}.",
                obj=model,
                id="rls.E032",
            )


def _useless_fields(model: type[Model], found: Written) -> Iterator[CheckMessage]:
    for field in model._meta.local_fields:
        if not _is_indexed(field):
            continue
        is_searched = _type(field).startswith(("varchar", "text")) and not _knows_no_like(field, found)
        is_safe = is_leakproof(Column(field, "", field.name), "btree") and not is_searched
        table, column = (re.escape(canonical(name)) for name in (model._meta.db_table, str(field.column)))
        if is_safe or _is_declared(found, rf"\S+ ON (?:\w+\.)?{table} USING btree \({column}( \w+)?\)"):
            continue
        name = f"{model._meta.model_name}_{field.name}"
        what = "Django makes a second index for LIKE" if is_searched else f"the index of a {_type(field)} is useless"
        says = f'models.Index(fields=["tenant", "{field.name}"], name="{name}")'
        yield Error(
            f"{model._meta.label}.{field.name} says db_index=True and {what}: {USELESS_REASON}.",
            hint=(f"Set db_index=False, and add {says}" if is_searched else "Set db_index=False")
            + f"; {DECLARE_HINT}.",
            obj=field,
            id="rls.E032",
        )


def _unheld(model: type[Model], found: Written) -> Iterator[CheckMessage]:
    """What the rule key-missing finds, but for keys that rls.E017 asks for."""
    for field in model._meta.local_fields:
        is_held = isinstance(field, ForeignKey) and (field.db_constraint or is_tenanted(field.related_model))  # type: ignore[attr-defined]  # missing in the stubs
        named = re.fullmatch(r"[a-z0-9_]+_id", field.column or "")
        if is_held or not named or field.column == "tenant_id" or _type(field) != "uuid":
            continue
        table = canonical(model._meta.db_table)
        place = f"{table}.{field.column}" if "." in table else f"public.{table}.{field.column}"
        if not found.is_declared("key-missing", re.escape(place)):
            yield Error(
                f"{model._meta.label}.{field.name} is a uuid in a column called {field.column}, "
                "and no foreign key checks what it refers to.",
                hint="Use ForeignKey, give the column another name (db_column), or declare in a SQL file that it "
                f"refers to nothing: the row ('key-missing', '{place}', '<the reason>') of app.declared_exceptions.",
                obj=field,
                id="rls.E034",
            )


def _is_indexed(field: Any) -> bool:
    return field.db_index and not field.unique and field.column is not None


def _column(model: type[Model], expression: Any) -> Column:
    inner, opclass = F(expression) if isinstance(expression, str) else expression, ""
    while isinstance(inner, OrderBy | OpClass | Collate):
        opclass = inner.extra.get("name", opclass) if isinstance(inner, OpClass) else opclass
        [inner, *_] = inner.get_source_expressions()
    name = inner.name if isinstance(inner, F) else ""  # type: ignore[attr-defined]  # missing in the stubs
    return Column(_field(model, name), opclass, name or str(inner))


def _field(model: type[Model], name: str) -> Any:
    try:
        return model._meta.pk if name == "pk" else model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _type(field: Field[Any, Any]) -> str:
    return field.db_type(connections[DEFAULT_DB_ALIAS]) or ""


def _knows_no_like(field: Any, found: Written) -> bool:
    target = field.target_field if field.is_relation else field
    return getattr(target, "db_collation", None) in found.loose_collations


def _is_declared(found: Written, definition: str) -> bool:
    return found.is_declared("index-useless", f"CREATE INDEX {definition}")
