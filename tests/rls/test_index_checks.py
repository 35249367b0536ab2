"""What `manage.py check` says of an index or a constraint is what the audit finds on the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.postgres import constraints, indexes
from django.contrib.postgres.fields import ArrayField, DateRangeField
from django.contrib.postgres.search import SearchVectorField
from django.contrib.sessions.models import Session
from django.db import connections, models
from django.db.migrations.state import ProjectState
from django.db.models.functions import Collate, Lower

from rls import audit
from rls.checks.indexes import check_indexes, leads
from rls.checks.models import check_model
from rls.models import Tenanted
from rls.schema.written import Written

pytestmark = pytest.mark.slow

SAYS = {
    "rls.E006": "unique-without-tenant",
    "rls.E007": "unique-without-tenant",
    "rls.E032": "index-useless",
    "rls.E034": "key-missing",
}
RULES = {*SAYS.values(), "index-missing"}

# What a model has beside `Tenanted`; an extension that it needs stands in `extension`.
FIELDS: dict[str, models.Field[Any, Any]] = {
    "char": models.CharField(max_length=9, db_index=True),
    "text": models.TextField(db_index=True),
    "slug": models.SlugField(),
    "email": models.EmailField(db_index=True),
    "file": models.FileField(db_index=True),
    "choices": models.CharField(max_length=9, choices=[("a", "A")], db_index=True),
    "char in C": models.CharField(max_length=9, db_index=True, db_collation="C"),
    "integer": models.IntegerField(db_index=True),
    "big integer": models.PositiveBigIntegerField(db_index=True),
    "small integer": models.SmallIntegerField(db_index=True),
    "float": models.FloatField(db_index=True),
    "decimal": models.DecimalField(max_digits=9, decimal_places=2, db_index=True),
    "boolean": models.BooleanField(db_index=True),
    "date": models.DateField(db_index=True),
    "time": models.TimeField(db_index=True),
    "datetime": models.DateTimeField(db_index=True),
    "duration": models.DurationField(db_index=True),
    "uuid": models.UUIDField(db_index=True),
    "binary": models.BinaryField(db_index=True),
    "address": models.GenericIPAddressField(db_index=True),
    "json": models.JSONField(db_index=True),
    "array": ArrayField(models.CharField(max_length=9), db_index=True),
    "range": DateRangeField(db_index=True),
    "vector": SearchVectorField(db_index=True),
    "generated": models.GeneratedField(
        expression=Lower("name"), output_field=models.CharField(max_length=9), db_persist=True, db_index=True
    ),
    "generated number": models.GeneratedField(
        expression=models.F("size") * 2, output_field=models.IntegerField(), db_persist=True, db_index=True
    ),
    "relation": models.ForeignKey(Group, models.CASCADE, related_name="+"),
    "relation to a text": models.ForeignKey(Session, models.CASCADE, related_name="+"),
    "relation without an index": models.ForeignKey(Session, models.CASCADE, related_name="+", db_index=False),
    "unique integer": models.IntegerField(unique=True),
    "one to one": models.OneToOneField(Group, models.CASCADE, related_name="+"),
    "none": models.IntegerField(),
}

INDEXES: dict[str, models.Index] = {
    "plain": models.Index(fields=["name"], name="i"),
    "tenant first": models.Index(fields=["tenant", "name"], name="i"),
    "tenant first, backwards": models.Index(fields=["-tenant"], name="i"),
    "tenant second": models.Index(fields=["name", "tenant"], name="i"),
    "tenant as an expression": models.Index(models.F("tenant").desc(), "name", name="i"),
    "tenant_id as an expression": models.Index("tenant_id", name="i"),
    "partial": models.Index(fields=["tenant"], condition=models.Q(size=1), name="i"),
    "including": models.Index(fields=["size"], include=["price"], name="i"),
    "decimal": models.Index(fields=["tenant", "price"], name="i"),
    "pattern": models.Index(fields=["tenant", "name"], opclasses=["uuid_ops", "varchar_pattern_ops"], name="i"),
    "named class": models.Index(fields=["tenant", "name"], opclasses=["uuid_ops", "text_ops"], name="i"),
    "expression": models.Index("tenant", Lower("name"), name="i"),
    "sum": models.Index(models.F("size") + 1, name="i"),
    "column backwards": models.Index(models.F("name").desc(nulls_last=True), name="i"),
    "collated": models.Index(Collate("name", "C"), name="i"),
    "class of an expression": models.Index(indexes.OpClass("name", name="varchar_pattern_ops"), name="i"),
    "safe class of an expression": models.Index(indexes.OpClass("name", name="text_ops"), name="i"),
    "primary key": models.Index(fields=["id", "size"], name="i"),
    "btree": indexes.BTreeIndex(fields=["tenant", "size"], name="i"),
    "btree of a decimal": indexes.BTreeIndex(fields=["price"], name="i"),
    "hash": indexes.HashIndex(fields=["name"], name="i"),
    "hash of a decimal": indexes.HashIndex(fields=["price"], name="i"),
    "hash of the tenant": indexes.HashIndex(fields=["tenant"], name="i"),
    "brin": indexes.BrinIndex(fields=["created_at"], name="i"),
    "brin of a decimal": indexes.BrinIndex(fields=["price"], name="i"),
    "brin of an address": indexes.BrinIndex(fields=["address"], name="i"),
    "brin of an address, compared": indexes.BrinIndex(fields=["address"], opclasses=["inet_minmax_ops"], name="i"),
    "brin with a class": indexes.BrinIndex(fields=["size"], opclasses=["int4_minmax_multi_ops"], name="i"),
    "gin of an array": indexes.GinIndex(fields=["words"], name="i"),
    "gin of json": indexes.GinIndex(fields=["facts"], name="i"),
    "gin of json paths": indexes.GinIndex(fields=["facts"], opclasses=["jsonb_path_ops"], name="i"),
    "gist of a range": indexes.GistIndex(fields=["days"], name="i"),
    "gist of an address": indexes.GistIndex(fields=["address"], opclasses=["inet_ops"], name="i"),
    "spgist of a text": indexes.SpGistIndex(fields=["name"], name="i"),
    "spgist of an address": indexes.SpGistIndex(fields=["address"], name="i"),
    "spgist of a range": indexes.SpGistIndex(fields=["days"], name="i"),
}

CONSTRAINTS: dict[str, models.BaseConstraint] = {
    "unique": models.UniqueConstraint(fields=["name"], name="c"),
    "unique inside a tenant": models.UniqueConstraint(fields=["tenant", "name"], name="c"),
    "unique decimal": models.UniqueConstraint(fields=["tenant", "price"], name="c"),
    "unique in part": models.UniqueConstraint(fields=["tenant", "size"], condition=models.Q(size=1), name="c"),
    "unique in part, everywhere": models.UniqueConstraint(fields=["size"], condition=models.Q(size=1), name="c"),
    "unique expression": models.UniqueConstraint("tenant", Lower("name"), name="c"),
    "unique expression, everywhere": models.UniqueConstraint(Lower("name"), name="c"),
    "unique with a class": models.UniqueConstraint(
        fields=["tenant", "name"], opclasses=["uuid_ops", "varchar_pattern_ops"], name="c"
    ),
    "unique, later": models.UniqueConstraint(
        fields=["tenant", "name"], deferrable=models.Deferrable.DEFERRED, name="c"
    ),
    "unique with the tenant beside": models.UniqueConstraint(fields=["name"], include=["tenant"], name="c"),
    "unique nothing": models.UniqueConstraint(fields=["tenant", "name"], nulls_distinct=False, name="c"),
    "check": models.CheckConstraint(condition=models.Q(size__gt=0), name="c"),
    "exclusion": constraints.ExclusionConstraint(name="c", expressions=[("days", "&&")]),
    "exclusion inside a tenant": constraints.ExclusionConstraint(
        name="c", expressions=[("tenant", "="), (models.F("days"), "&&")]
    ),
    "exclusion with the tenant beside": constraints.ExclusionConstraint(
        name="c", expressions=[("days", "&&")], include=["tenant"]
    ),
    "exclusion of other tenants": constraints.ExclusionConstraint(
        name="c", expressions=[("tenant", "<>"), ("days", "&&")]
    ),
}

REFERENCES: dict[str, models.Field[Any, Any]] = {
    "uuid called id": models.UUIDField(db_column="outer_id"),
    "uuid called otherwise": models.UUIDField(),
    "text called id": models.CharField(max_length=9, db_column="outer_id"),
    "relation without a key": models.ForeignKey(Group, models.CASCADE, db_constraint=False, related_name="+"),
}

EXTENSIONS = {
    "exclusion inside a tenant": "btree_gist",
    "exclusion of other tenants": "btree_gist",
    "trigrams": "pg_trgm",
    "trigrams, gist": "pg_trgm",
    "gin of a number": "btree_gin",
    "gist of a text": "btree_gist",
    "bloom": "bloom",
}
INDEXES |= {
    "trigrams": indexes.GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="i"),
    "trigrams, gist": indexes.GistIndex(fields=["name"], opclasses=["gist_trgm_ops"], name="i"),
    "gin of a number": indexes.GinIndex(fields=["tenant", "size"], name="i"),
    "gist of a text": indexes.GistIndex(fields=["name"], name="i"),
    "bloom": indexes.BloomIndex(fields=["name", "size"], name="i"),
}

KINDS = [
    *[pytest.param(name, {"own": field}, {}, id=f"field: {name}") for name, field in (FIELDS | REFERENCES).items()],
    *[pytest.param(name, {}, {"indexes": [index]}, id=f"index: {name}") for name, index in INDEXES.items()],
    *[pytest.param(name, {}, {"constraints": [each]}, id=f"constraint: {name}") for name, each in CONSTRAINTS.items()],
    pytest.param("", {}, {"unique_together": [("tenant", "name")]}, id="together"),
    pytest.param("", {}, {"unique_together": [("name", "size")]}, id="together, everywhere"),
]


Make = Callable[[dict[str, Any], dict[str, Any]], type[models.Model]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes a tenanted model with a column of each sort, and with other fields and a Meta besides, for one test."""

    def make(fields: dict[str, Any], meta: dict[str, Any]) -> type[models.Model]:
        columns = {
            "name": models.CharField(max_length=9),
            "size": models.IntegerField(),
            "price": models.DecimalField(max_digits=9, decimal_places=2),
            "address": models.GenericIPAddressField(),
            "facts": models.JSONField(),
            "words": ArrayField(models.CharField(max_length=9)),
            "days": DateRangeField(),
        }
        own = {name: field.clone() for name, field in fields.items()}
        options = type("Meta", (), {"app_label": "core"} | meta)
        return type("Kind", (Tenanted,), {**columns, **own, "Meta": options, "__module__": __name__})

    yield make
    del apps.all_models["core"]["kind"]
    apps.clear_cache()


@pytest.fixture
def extension(request: pytest.FixtureRequest, admin: psycopg.Connection) -> Iterator[None]:
    """The extension that a kind needs."""
    name = EXTENSIONS.get(request.node.callspec.params["name"])
    if name and not admin.execute("SELECT 1 FROM pg_available_extensions WHERE name = %s", [name]).fetchone():
        pytest.skip(f"this server has no {name}")
    if name:
        admin.execute(f"CREATE EXTENSION {name}")
    yield
    if name:
        admin.execute(f"DROP EXTENSION {name} CASCADE")


@pytest.mark.parametrize(("name", "fields", "meta"), KINDS)
def test_the_check_and_the_audit_say_the_same(
    name: str, fields: dict[str, Any], meta: dict[str, Any], admin: psycopg.Connection, extension: None, make: Make
) -> None:
    model = make(fields, meta)
    try:
        with connections["owner"].schema_editor() as editor:
            editor.create_model(model)
        found = {each.rule for each in audit.run("owner") if "core_kind" in each.object} & RULES
    finally:
        admin.execute("DROP TABLE IF EXISTS core_kind")

    said = {SAYS[each.id] for each in [*check_model(model, {}), *check_indexes(model, Written(ProjectState()))]}  # type: ignore[index]
    said |= set() if leads(model) else {"index-missing"}
    assert said == found


@pytest.mark.parametrize("field", [models.CharField(max_length=9, unique=True), models.SlugField(unique=True)])
def test_the_second_index_of_what_is_unique_goes_with_the_first(field: Any, make: Make) -> None:
    model = make({"own": field}, {})

    assert [each.id for each in [*check_model(model, {}), *check_indexes(model, Written(ProjectState()))]] == [
        "rls.E006"
    ]


def test_a_collation_that_knows_no_like_has_no_second_index(make: Make) -> None:
    field = models.CharField(max_length=9, db_index=True, db_collation="loose")
    model = make({"own": field}, {})
    found = Written(ProjectState())
    before = [each.id for each in check_indexes(model, found)]

    found.loose_collations.add("loose")

    assert (before, list(check_indexes(model, found))) == (["rls.E032"], [])


@pytest.mark.parametrize(
    ("fields", "meta", "object_name"),
    [
        (
            {"own": models.SlugField()},
            {},
            "CREATE INDEX core_kind_own_1_like ON public.core_kind USING btree (own varchar_pattern_ops)",
        ),
        (
            {"own": models.JSONField(db_index=True)},
            {},
            "CREATE INDEX core_kind_own_1 ON public.core_kind USING btree (own)",
        ),
        (
            {},
            {"indexes": [INDEXES["expression"]]},
            "CREATE INDEX i ON public.core_kind USING btree (tenant_id, lower((name)::text))",
        ),
        ({"own": models.UUIDField(db_column="outer_id")}, {}, "public.core_kind.outer_id"),
    ],
)
def test_what_is_declared_to_the_audit_is_declared_to_the_check(
    fields: dict[str, Any], meta: dict[str, Any], object_name: str, make: Make
) -> None:
    model = make(fields, meta)
    found = Written(ProjectState())
    rule = "key-missing" if "outer_id" in object_name else "index-useless"
    assert len(list(check_indexes(model, found))) == 1

    found.declared.add((rule, object_name))

    assert list(check_indexes(model, found)) == []
