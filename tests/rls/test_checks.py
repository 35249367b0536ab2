"""`manage.py check`: what a model, the settings and the SQL files must be."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.db import models
from django.db.migrations import operations
from django.db.migrations.state import ProjectState
from django.db.models.functions import Lower
from django.test.utils import isolate_apps

from core.models import Order, Product, Tenant
from rls.checks import models as model_checks
from rls.checks import settings as setting_checks
from rls.checks import sql as sql_checks
from rls.models import Tenanted
from rls.operations import RunSQLFile
from rls.router import RoleRouter
from rls.schema import keys, written


def ids(*found: object) -> list[str]:
    return [message.id for message in found]  # type: ignore[attr-defined]


def only(model: type[models.Model], shared: dict[str, str] | None = None) -> Any:
    """The one message about `model`."""
    [error] = model_checks.check_model(model, shared or {})
    return error


def test_the_projects_own_models_are_in_order() -> None:
    assert run_checks(tags=["rls"]) == []


@isolate_apps("core")
def test_a_model_is_tenanted_or_shared_with_a_reason() -> None:
    class Loose(models.Model):
        class Meta:
            app_label = "core"

    error = only(Loose)

    assert error.id == "rls.E001"
    assert '"core.Loose": "<the reason>"' in error.hint
    assert ids(*model_checks.check_model(Loose, {"core.Loose": " "})) == ["rls.E001"]
    assert ids(*model_checks.check_model(Loose, {"core.Loose": "Exchange rates, public."})) == []
    assert ids(*model_checks.check_model(Product, {"core.Product": "both"})) == ["rls.E001"]


@isolate_apps("core")
def test_a_model_without_a_table_of_its_own_needs_nothing() -> None:
    class View(models.Model):
        product = models.ForeignKey(Product, models.CASCADE)

        class Meta:
            app_label = "core"
            managed = False

    class Renamed(Product):
        class Meta:
            app_label = "core"
            proxy = True

    assert [*model_checks.check_model(View, {}), *model_checks.check_model(Renamed, {})] == []


def test_a_stale_reason_is_an_error(settings: Any) -> None:
    settings.RLS_SHARED_MODELS = settings.RLS_SHARED_MODELS | {"core.Gone": "was shared"}

    assert ids(*model_checks.check_models(None)) == ["rls.E002"]


@isolate_apps("core")
def test_a_plain_foreign_key_between_tenanted_models_is_an_error() -> None:
    class Review(Tenanted):
        product = models.ForeignKey(Product, models.CASCADE)

        class Meta:
            app_label = "core"

    error = only(Review)

    assert error.id == "rls.E003"
    assert error.hint == (
        "Set db_constraint=False; manage.py rls new core.Review then writes the constraint "
        "(tenant_id, product_id) REFERENCES core_product (tenant_id, id) into a SQL file."
    )


THROUGH = """\
Set through="core.BundleFavouriteProducts" and write:
class BundleFavouriteProducts(Tenanted):
    bundle = models.ForeignKey("core.Bundle", on_delete=models.CASCADE, db_constraint=False)
    product = models.ForeignKey("core.Product", on_delete=models.CASCADE, db_constraint=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "bundle", "product"], \
name="bundlefavouriteproducts_bundle_product_unique")]"""


@isolate_apps("core")
def test_a_many_to_many_field_between_tenanted_models_needs_a_model_of_its_own() -> None:
    class Bundle(Tenanted):
        favourite_products = models.ManyToManyField(Product)

        class Meta:
            app_label = "core"

    error = only(Bundle)

    assert (error.id, error.obj) == ("rls.E004", Bundle._meta.get_field("favourite_products"))
    assert error.hint == THROUGH
    # Of the table that Django would make, the field speaks already.
    assert list(model_checks.check_model(Bundle.favourite_products.through, {})) == []


@isolate_apps("core")
def test_a_many_to_many_field_to_a_shared_model_needs_a_model_of_its_own_too() -> None:
    class Badge(Tenanted):
        groups = models.ManyToManyField(Group)
        next = models.ManyToManyField("self")

        class Meta:
            app_label = "core"

    groups, itself = model_checks.check_model(Badge, {})

    assert ids(groups, itself) == ["rls.E004", "rls.E004"]
    assert '    group = models.ForeignKey("auth.Group", on_delete=models.CASCADE)\n' in groups.hint
    assert (
        'to_badge = models.ForeignKey("core.Badge", on_delete=models.CASCADE, db_constraint=False, related_name="+")\n'
        in itself.hint
    )


@isolate_apps("core")
def test_the_model_of_the_hint_is_in_order() -> None:
    class Bundle(Tenanted):
        products = models.ManyToManyField(Product, through="core.BundleProduct")

        class Meta:
            app_label = "core"

    class BundleProduct(Tenanted):
        bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, db_constraint=False)
        product = models.ForeignKey(Product, on_delete=models.CASCADE, db_constraint=False)

        class Meta:
            app_label = "core"
            constraints = [models.UniqueConstraint(fields=["tenant", "bundle", "product"], name="u")]

    assert [*model_checks.check_model(Bundle, {}), *model_checks.check_model(BundleProduct, {})] == []


@isolate_apps("core")
def test_a_shared_model_does_not_point_into_a_tenant() -> None:
    class Coupon(models.Model):
        product = models.ForeignKey(Product, models.CASCADE)
        order = models.OneToOneField(Order, models.CASCADE, db_constraint=False)
        extras = models.ManyToManyField(Product, related_name="+")

        class Meta:
            app_label = "core"

    found = list(model_checks.check_model(Coupon, {"core.Coupon": "Printed by the platform."}))

    assert ids(*found) == ["rls.E005"] * 3
    assert found[0].msg == (
        "core.Coupon is shared and product refers to core.Product: a shared row would point into a tenant."
    )
    assert found[0].hint == (
        "Write class Coupon(Tenanted) and remove its line from RLS_SHARED_MODELS, "
        "or remove the field and let core.Product refer to core.Coupon."
    )
    # While it is neither, the first question is which.
    assert ids(*model_checks.check_model(Coupon, {})) == ["rls.E001", "rls.E004"]


HISTORY_HINT = (
    "Derive it from rls.models.Tenanted (a model that another package makes takes it as its base), "
    "and leave core.Log out of RLS_SHARED_MODELS."
)


@pytest.mark.parametrize(
    ("fields", "meta", "hint"),
    [
        ({"tenant": models.ForeignKey(Tenant, models.DO_NOTHING, null=True, db_constraint=False)}, {}, HISTORY_HINT),
        (
            {"tenant_id": models.UUIDField()},
            {},
            f"{HISTORY_HINT} Where it names no tenant, give it another column with db_column=.",
        ),
        (
            {"realm": models.CharField(max_length=9, db_column="tenant_id")},
            {},
            f"{HISTORY_HINT} Where it names no tenant, give it another column with db_column=.",
        ),
        ({"customer": models.ForeignKey(Tenant, models.CASCADE)}, {}, HISTORY_HINT),
        ({"customer": models.OneToOneField(Tenant, models.CASCADE, primary_key=True)}, {}, HISTORY_HINT),
        (
            {"tenant": models.ForeignKey(Tenant, models.CASCADE)},
            {"managed": False},
            "Leave core.Log out of RLS_SHARED_MODELS: Django makes no table for it, and its rows are a tenant's.",
        ),
    ],
    ids=["history", "plain column", "column of a name", "relation", "one to one", "unmanaged"],
)
def test_a_shared_model_with_a_tenant_is_out_of_reach(fields: Any, meta: Any, hint: str) -> None:
    with isolate_apps("core"):
        base = type(
            "Base", (models.Model,), {**fields, "Meta": type("M", (), {"abstract": True}), "__module__": __name__}
        )
        log = type("Log", (base,), {"Meta": type("Meta", (), {"app_label": "core"} | meta), "__module__": __name__})

    error = only(log, {"core.Log": "What was."})

    assert error.id == "rls.E031"
    assert error.msg.startswith("core.Log is shared and its rows are tenants' (")
    assert error.hint == hint
    # Unlisted, it is not sent into the list.
    assert all("RLS_SHARED_MODELS." in error.hint for error in model_checks.check_model(log, {}))


@isolate_apps("core")
def test_a_many_to_many_field_to_the_tenants_makes_such_a_table_too() -> None:
    class Person(models.Model):
        tenants = models.ManyToManyField(Tenant)

        class Meta:
            app_label = "core"

    class Renamed(Person):
        class Meta:
            app_label = "core"
            proxy = True

    shared = {"core.Person": "All.", "core.Renamed": "All.", "core.Person_tenants": "All."}
    through: Any = Person.tenants.through

    assert [*model_checks.check_model(Person, shared), *model_checks.check_model(Renamed, shared)] == []
    assert only(through, shared).id == "rls.E031"
    assert only(through, shared).hint == (
        "Give the ManyToManyField of core.Person a tenanted model as its through=, "
        "and leave core.Person_tenants out of RLS_SHARED_MODELS."
    )


def test_a_tenant_may_have_a_parent_and_a_shared_model_no_column_of_the_name(settings: Any) -> None:
    settings.RLS_TENANT_MODEL = "core.Branch"
    with isolate_apps("core"):

        class Branch(models.Model):
            parent = models.ForeignKey("self", models.CASCADE, null=True)
            label = models.UUIDField(db_column="tenants_id")

            class Meta:
                app_label = "core"

    assert list(model_checks.check_model(Branch, {"core.Branch": "The root."})) == []


def test_a_reference_to_the_tenants_can_be_declared(sql_files: Path) -> None:
    with isolate_apps("core"):

        class Domain(models.Model):
            owner = models.ForeignKey(Tenant, models.CASCADE)

            class Meta:
                app_label = "core"

    assert only(Domain, {"core.Domain": "Found before a context."}).id == "rls.E031"

    with (sql_files / "0004_core_tenant.sql").open("a") as file:
        file.write(
            "INSERT INTO app.declared_exceptions (rule, object, reason) VALUES\n"
            "    ('tenant-hidden', 'public.core_domain.core_domain_owner_id_fk', 'A domain is looked up before.');"
        )

    assert list(model_checks.check_model(Domain, {"core.Domain": "Found before a context."})) == []


@isolate_apps("core")
def test_what_is_unique_is_unique_inside_a_tenant() -> None:
    class Part(Tenanted):
        code = models.CharField(max_length=9, unique=True)
        month = models.DateField(unique_for_date="created_at")
        name = models.CharField(max_length=9)

        class Meta:
            app_label = "core"
            unique_together = [("name", "tenant"), ("tenant", "month")]
            constraints = [
                models.UniqueConstraint(fields=["code"], condition=models.Q(name="x"), name="one"),
                models.UniqueConstraint(Lower("name"), "tenant", name="two"),
                models.UniqueConstraint("tenant", Lower("name"), name="three"),
                models.UniqueConstraint(models.F("tenant_id").desc(), "name", name="four"),
                models.UniqueConstraint(fields=["tenant_id", "name"], nulls_distinct=False, name="five"),
            ]

    found = list(model_checks.check_model(Part, {}))

    assert ids(*found) == ["rls.E006"] * 4
    assert [error.hint for error in found] == [
        'Remove unique=True and add models.UniqueConstraint(fields=["tenant", "code"], name="part_code_unique").',
        'Remove it and add models.UniqueConstraint(fields=["tenant", "name"], name="part_name_unique").',
        'Write models.UniqueConstraint(fields=["tenant", "code"], name="one", condition=models.Q((\'name\', \'x\'))).',
        'Write models.UniqueConstraint("tenant", Lower(\'name\'), name="two").',
    ]


@isolate_apps("core")
def test_a_one_to_one_field_is_unique_across_tenants() -> None:
    class Invoice(Tenanted):
        order = models.OneToOneField(Order, models.RESTRICT, null=True)
        group = models.OneToOneField(Group, models.CASCADE)

        class Meta:
            app_label = "core"

    order, group = model_checks.check_model(Invoice, {})

    assert ids(order, group) == ["rls.E007", "rls.E007"]
    assert order.hint == (
        'Write order = models.ForeignKey("core.Order", on_delete=models.RESTRICT, null=True, db_constraint=False)'
        ' and models.UniqueConstraint(fields=["tenant", "order"], name="invoice_order_unique").'
    )
    assert 'models.ForeignKey("auth.Group", on_delete=models.CASCADE) and ' in group.hint


@isolate_apps("core")
def test_a_tenanted_table_is_not_extended_by_another() -> None:
    class Part(Product):
        class Meta:
            app_label = "core"

    error = only(Part)

    assert error.id == "rls.E008"
    assert error.msg == (
        "core.Part extends the table of core.Product: one row lies in two tables, and one has no tenant_id."
    )
    assert "abstract = True" in error.hint


@isolate_apps("core")
def test_a_tenanted_key_is_a_uuid() -> None:
    class Counted(Tenanted):
        id = models.BigAutoField(primary_key=True)

        class Meta:
            app_label = "core"

    class Other(Tenanted):
        id = models.UUIDField(primary_key=True, default=uuid.uuid4)

        class Meta:
            app_label = "core"

    error = only(Counted)

    assert error.id == "rls.E009"
    assert "id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)" in error.hint
    assert list(model_checks.check_model(Other, {})) == []


@pytest.mark.parametrize(
    ("field", "is_safe"),
    [
        (models.ForeignKey(Tenant, models.CASCADE, null=True), False),
        (models.ForeignKey(Group, models.CASCADE), False),
        (models.ForeignKey(Tenant, models.CASCADE, db_column="customer_id"), False),
        (models.UUIDField(), False),
        (None, False),
        (models.ForeignKey(Tenant, models.RESTRICT), True),
        (models.OneToOneField(Tenant, models.CASCADE), True),
    ],
    ids=["null", "another model", "another column", "no foreign key", "none", "foreign key", "one row for each"],
)
def test_the_tenant_stays_a_required_foreign_key(field: Any, is_safe: bool) -> None:
    with isolate_apps("core"):
        meta = type("Meta", (), {"app_label": "core"})
        note = type("Note", (Tenanted,), {"tenant": field, "Meta": meta, "__module__": __name__})

    found = list(model_checks.check_model(note, {}))

    assert ids(*found) == ([] if is_safe else ["rls.E010"])
    assert all("db_default=CurrentTenant()" in error.hint for error in found)


def test_the_tenant_model_is_named(settings: Any) -> None:
    settings.RLS_TENANT_MODEL = "core.Client"
    [unknown] = setting_checks.check_setup(None)
    settings.RLS_TENANT_MODEL = "Client"
    [malformed] = setting_checks.check_setup(None)
    del settings.RLS_TENANT_MODEL
    [missing] = setting_checks.check_setup(None)

    assert ids(unknown, malformed, missing) == ["rls.E011"] * 3
    # One message is enough: it does not come again for each model.
    assert list(model_checks.check_model(Product, {})) == []
    assert unknown.msg == "RLS_TENANT_MODEL names core.Client, which is not a model."
    assert missing.msg == "RLS_TENANT_MODEL is not set."
    assert missing.hint == 'Set RLS_TENANT_MODEL = "<app>.<Model>", such as "helpdesk.Organisation".'


def test_the_tenant_model_has_a_uuid_and_can_be_suspended(settings: Any) -> None:
    settings.RLS_TENANT_MODEL = "auth.Group"

    key, is_active = setting_checks.check_setup(None)

    assert ids(key, is_active) == ["rls.E012", "rls.E013"]
    assert "id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)" in key.hint
    assert is_active.hint == "Add is_active = models.BooleanField(default=True)."


def test_the_backend_and_the_router_are_in_place(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.postgresql")
    settings.DATABASE_ROUTERS = []
    engine, router = setting_checks.check_setup(None)
    settings.DATABASE_ROUTERS = [RoleRouter()]

    assert ids(engine, router) == ["rls.E014", "rls.E015"]
    assert engine.hint == 'Set DATABASES["default"]["ENGINE"] = "rls.backends.postgresql".'
    assert router.hint == 'Set DATABASE_ROUTERS = ["rls.router.RoleRouter"].'
    assert ids(*setting_checks.check_setup(None)) == ["rls.E014"]


@pytest.mark.parametrize("zone", [{"USE_TZ": False}, {"TIME_ZONE": "Asia/Taipei"}])
def test_a_connection_in_another_time_zone_would_call_set_config(
    zone: dict[str, Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.USE_TZ = zone.pop("USE_TZ", True)
    monkeypatch.setitem(settings.DATABASES, "default", settings.DATABASES["default"] | zone)

    [error] = setting_checks.check_setup(None)

    assert error.id == "rls.E020"
    assert error.hint == 'Set USE_TZ = True, and remove TIME_ZONE from DATABASES["default"].'


def test_no_setting_of_ours_makes_the_checks_raise(settings: Any) -> None:
    for name in ("RLS_TENANT_MODEL", "RLS_SHARED_MODELS", "DATABASE_ROUTERS", "DATABASES"):
        delattr(settings, name)

    assert {"rls.E001", "rls.E011", "rls.E014", "rls.E015"} <= set(ids(*run_checks(tags=["rls"])))


@pytest.fixture
def sql_files(settings: Any, tmp_path: Path) -> Path:
    """A copy of the project's SQL files, which the migrations run instead."""
    settings.BASE_DIR = tmp_path
    return Path(shutil.copytree("migrations_sql", tmp_path / "migrations_sql"))


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


KEY = """\
ALTER TABLE core_orderitem ADD CONSTRAINT core_orderitem_product_id_tenant_fkey
    FOREIGN KEY (tenant_id, product_id) REFERENCES core_product (tenant_id, id);
"""
KEY_HINT = (
    "ALTER TABLE core_orderitem ADD CONSTRAINT core_orderitem_product_id_tenant_fkey "
    "FOREIGN KEY (tenant_id, product_id) REFERENCES core_product (tenant_id, id); "
    "manage.py rls new core.OrderItem writes it."
)


@pytest.mark.parametrize(
    "instead",
    [
        "",
        "".join(f"-- {line}\n" for line in KEY.splitlines()),
        f"/* {KEY} */",
        f"COMMENT ON TABLE core_orderitem IS '{KEY}';",
        KEY.replace("(tenant_id, product_id)", "(product_id)").replace("(tenant_id, id)", "(id)"),
        KEY.replace("(tenant_id, product_id)", "(tenant_id, order_id)"),
        KEY.replace("REFERENCES core_product", "REFERENCES core_order"),
        KEY.replace("TABLE core_orderitem", "TABLE core_order"),
        KEY.replace("TABLE core_orderitem", "TABLE other.core_orderitem"),
    ],
    ids=["gone", "comment", "block", "string", "plain", "column", "parent", "table", "schema"],
)
def test_a_foreign_key_that_holds_no_tenant_is_found(instead: str, sql_files: Path) -> None:
    rewrite(sql_files / "0008_core_orderitem.sql", KEY, instead)

    [error] = sql_checks.check_sql(None)

    assert error.id == "rls.E017"
    assert error.msg == "core.OrderItem.product has no foreign key that includes the tenant."
    assert error.hint == KEY_HINT


@pytest.mark.parametrize(
    "instead",
    [
        KEY.lower(),
        " ".join(KEY.split()),
        KEY.replace(" ", "\n  "),
        KEY.replace("core_", "public.core_"),
        KEY.replace("core_product", '"public"."core_product"').replace(
            "TABLE core_orderitem", 'TABLE "core_orderitem"'
        ),
        KEY.replace("tenant_id, product_id", '"tenant_id","product_id"'),
        KEY.replace(";", " NOT VALID; -- quick\nALTER TABLE core_orderitem VALIDATE CONSTRAINT x;"),
        KEY.replace("ADD CONSTRAINT", "/* it's */ ADD CHECK (currency <> '--;'), ADD CONSTRAINT"),
        KEY.replace("ALTER TABLE", "ALTER TABLE IF EXISTS ONLY"),
    ],
)
def test_the_foreign_key_may_be_written_in_other_ways(instead: str, sql_files: Path) -> None:
    rewrite(sql_files / "0008_core_orderitem.sql", KEY, instead)

    assert sql_checks.check_sql(None) == []


@pytest.mark.parametrize(
    ("file", "label", "table"),
    [("0004_core_tenant", "core.Tenant", "core_tenant"), ("0006_core_product", "core.Product", "core_product")],
)
def test_a_table_without_a_policy_is_found(file: str, label: str, table: str, sql_files: Path) -> None:
    rewrite(sql_files / f"{file}.sql", "CREATE POLICY tenant_isolation", "-- CREATE POLICY tenant_isolation")

    [error] = sql_checks.check_sql(None)

    assert error.id == "rls.E016"
    assert (error.msg, error.hint) == (f"{label} has no policy.", f"manage.py rls new {label} writes it.")


def test_a_parent_without_a_key_that_holds_the_tenant_is_found(sql_files: Path) -> None:
    rewrite(sql_files / "0006_core_product.sql", "UNIQUE (tenant_id, id)", "UNIQUE (id)")
    # Nothing refers to the settings.
    rewrite(sql_files / "0012_core_tenantsettings.sql", "UNIQUE (tenant_id, id)", "UNIQUE (id)")

    [error] = sql_checks.check_sql(None)

    assert error.id == "rls.E018"
    assert error.hint == (
        "ALTER TABLE core_product ADD CONSTRAINT core_product_tenant_key UNIQUE (tenant_id, id); "
        "manage.py rls new core.Product writes it."
    )


def test_a_missing_file_is_named(sql_files: Path) -> None:
    (sql_files / "0011_django_tables.sql").unlink()

    [error] = sql_checks.check_sql(None)

    assert error.id == "rls.E019"
    assert error.msg == "The migration core.0002_isolation runs 0011_django_tables.sql, which is missing."


def test_a_model_or_field_that_no_migration_makes_needs_no_sql_yet(settings: Any) -> None:
    settings.MIGRATION_MODULES = {"core": None}
    assert sql_checks.check_sql(None) == []

    found = written.Written(ProjectState())

    assert [*sql_checks._policies(found), *sql_checks._keys(found)] == []


def test_a_model_that_is_about_to_become_tenanted_needs_no_sql_yet() -> None:
    found = written.Written(ProjectState())
    key = ("id", models.UUIDField(primary_key=True))
    product = ("product", models.ForeignKey("core.Product", models.CASCADE, db_constraint=False))
    for operation in (operations.CreateModel("Product", [key]), operations.CreateModel("OrderItem", [key, product])):
        found.apply(operation, ("core", "0001_initial"))

    assert [*sql_checks._policies(found), *sql_checks._keys(found)] == []

    tenant = models.ForeignKey("core.Tenant", models.CASCADE)
    found.apply(operations.CreateModel("Tenant", [key]), ("core", "0002_tenant"))
    found.apply(operations.AddField("Product", "tenant", tenant), ("core", "0002_tenant"))
    found.apply(operations.AddField("OrderItem", "tenant", tenant), ("core", "0002_tenant"))

    labels = ["core.Tenant", "core.Product", "core.OrderItem"]
    assert [error.msg for error in sql_checks._policies(found)] == [f"{label} has no policy." for label in labels]
    assert ids(*sql_checks._keys(found)) == ["rls.E017", "rls.E018"]

    # A reference that is about to lead elsewhere is asked for when it does.
    elsewhere = models.ForeignKey("core.Tenant", models.CASCADE)
    found.apply(operations.AlterField("OrderItem", "product", elsewhere), ("core", "0003_elsewhere"))

    assert list(sql_checks._keys(found)) == []


def history(sql_files: Path, *later: Any) -> written.Written:
    """A parent and a child with their SQL, and what became of them."""
    (sql_files / "0099_all.sql").write_text(
        "CREATE POLICY tenant_isolation ON core_parent TO app_tenant;"
        "ALTER TABLE core_parent ADD CONSTRAINT k UNIQUE (tenant_id, id);"
        "CREATE POLICY tenant_isolation ON core_child TO app_tenant;"
        "ALTER TABLE core_child ADD FOREIGN KEY (tenant_id, parent_id) REFERENCES core_parent (tenant_id, id);"
    )
    found = written.Written(ProjectState())
    key = ("id", models.UUIDField(primary_key=True))
    reference = ("parent", models.ForeignKey("core.Parent", models.CASCADE))
    for operation in (
        operations.CreateModel("Parent", [key]),
        operations.CreateModel("Child", [key, reference]),
        RunSQLFile("0099_all"),
        *later,
    ):
        found.apply(operation, ("core", "0001_initial"))
    return found


@pytest.mark.parametrize(
    ("operation", "policies", "foreign_keys"),
    [
        (
            operations.RenameModel("Parent", "Root"),
            {"core_root", "core_child"},
            [("core_child", "parent_id", "core_root", "id")],
        ),
        (
            operations.AlterModelTable("Child", "leaf"),
            {"core_parent", "leaf"},
            [("leaf", "parent_id", "core_parent", "id")],
        ),
        (
            operations.RenameField("Child", "parent", "root"),
            {"core_parent", "core_child"},
            [("core_child", "root_id", "core_parent", "id")],
        ),
        (
            operations.AlterField("Child", "parent", models.ForeignKey("core.Parent", models.CASCADE, db_column="up")),
            {"core_parent", "core_child"},
            [("core_child", "up", "core_parent", "id")],
        ),
        (operations.RemoveField("Child", "parent"), {"core_parent", "core_child"}, []),
        (operations.DeleteModel("Child"), {"core_parent"}, []),
        (
            operations.SeparateDatabaseAndState(state_operations=[operations.DeleteModel("Child")]),
            {"core_parent", "core_child"},
            [("core_child", "parent_id", "core_parent", "id")],
        ),
    ],
    ids=["model", "table", "field", "column", "removed", "dropped", "moved"],
)
def test_what_is_written_follows_a_rename(
    operation: Any, policies: set[str], foreign_keys: list[tuple[str, ...]], sql_files: Path
) -> None:
    found = history(sql_files, operation)

    assert found.policies.keys() == policies
    assert list(found.foreign_keys) == [keys.TenantForeignKey(*names) for names in foreign_keys]


def test_a_file_inside_other_operations_counts(sql_files: Path) -> None:
    found = history(sql_files)
    (sql_files / "0100_more.sql").write_text('create policy "tenant_isolation" on public."core_more" to x')

    found.apply(
        operations.SeparateDatabaseAndState(database_operations=[RunSQLFile("0100_more")]), ("core", "0002_more")
    )

    assert found.policies["core_more"] == written.Origin(("core", "0002_more"), "0100_more")


def test_the_keys_that_are_written_are_the_keys_that_are_read(sql_files: Path) -> None:
    wanted = keys.TenantForeignKey("Odd, table", "Ref", "order", "id")
    (sql_files / "0099_odd.sql").write_text(f"-- {wanted.drop}\n{wanted.parent_key.add}\n{wanted.add}\n")
    found = written.Written(ProjectState())

    found.apply(RunSQLFile("0099_odd"), ("core", "0001_initial"))

    assert [*found.foreign_keys, *found.tenant_keys] == [wanted, keys.TenantKey("order", "id")]


def test_names_fit_and_keywords_are_quoted() -> None:
    long = keys.TenantForeignKey("t" * 50, "c" * 50 + "_id", "core_product", "id")
    other = keys.TenantForeignKey("t" * 50, "d" * 50 + "_id", "core_product", "id")

    assert keys.TenantKey("core_product", "id").name == "core_product_tenant_key"
    assert long.name == f"{'t' * 42}_af6bf0f7_tenant_fkey"
    assert len(long.name) == keys.MAX_NAME_BYTES
    assert long.name != other.name
    assert len(keys.constraint_name("\u7522\u54c1" * 20, "tenant_key").encode()) <= keys.MAX_NAME_BYTES
    assert keys.TenantKey("order", "id").add == (
        'ALTER TABLE "order" ADD CONSTRAINT order_tenant_key UNIQUE (tenant_id, id);'
    )
    assert apps.get_model("core.Product")._meta.db_table == keys.quoted("core_product")


def test_what_is_dropped_later_or_quoted_with_dollars_is_read_as_it_is(sql_files: Path) -> None:
    (sql_files / "0099_odd.sql").write_text(
        "CREATE POLICY tenant_isolation ON core_gone USING (true);\n"
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $body$ SELECT $$don't$$ $body$;\n"
        "CREATE POLICY tenant_isolation ON core_kept USING (true);\n"
        "COMMENT ON TABLE core_kept IS 'x';\n"
        'DROP POLICY IF EXISTS tenant_isolation ON public."core_gone";\n'
    )
    found = written.Written(ProjectState())

    found.apply(RunSQLFile("0099_odd"), ("core", "0001_initial"))

    assert set(found.policies) == {"core_kept"}
