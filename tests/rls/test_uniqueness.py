"""What is unique inside a tenant: a duplicate is an error of the form, and what another tenant has is none."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, connections, models, transaction
from django.db.models.functions import Lower
from django.forms import modelform_factory, modelformset_factory
from django.forms.models import inlineformset_factory
from django.test.utils import isolate_apps
from django.utils import translation

import rls
from core.models import OrderItem, Product, Tenant, TenantSettings, TenantUser
from rls.admin import TenantedInlineFormSet
from rls.models import CurrentTenant, Tenanted
from rls.schema.policies import policies
from tests.support.world import World, working

Form = Callable[..., Any]


def to_tenant() -> Any:
    """The field of `Tenanted`, in a registry of models that the tenants are not in."""
    return models.ForeignKey(
        Tenant, models.CASCADE, db_default=CurrentTenant(), editable=False, db_index=False, related_name="+"
    )


with isolate_apps("core"):

    class Folder(Tenanted):
        tenant = to_tenant()
        name = models.CharField(max_length=20)

        class Meta:
            app_label = "core"
            constraints = [models.UniqueConstraint("tenant", Lower("name"), name="folder_name")]

    class Page(Tenanted):
        tenant = to_tenant()
        folder = models.ForeignKey(
            Folder, models.CASCADE, db_constraint=False, null=True, blank=True, related_name="pages"
        )
        slug = models.CharField(max_length=20, blank=True)
        title = models.CharField(max_length=20, blank=True, unique_for_date="shown_on")
        code = models.CharField(max_length=20, null=True, blank=True)  # noqa: DJ001  (NULL is what is tried)
        mark = models.CharField(max_length=20, null=True, blank=True)  # noqa: DJ001  (NULL is what is tried)
        nick = models.CharField(max_length=20, null=True, blank=True)  # noqa: DJ001  (NULL is what is tried)
        shown_on = models.DateField(null=True, blank=True)
        is_live = models.BooleanField(default=True)

        class Meta:
            app_label = "core"
            unique_together = [("tenant", "nick")]
            constraints = [
                models.UniqueConstraint(
                    fields=["tenant", "slug"],
                    condition=models.Q(is_live=True) & ~models.Q(slug=""),
                    name="page_slug",
                    violation_error_message="A live page has this address.",
                ),
                models.UniqueConstraint(fields=["tenant", "folder", "code"], name="page_code"),
                models.UniqueConstraint(fields=["tenant", "mark"], nulls_distinct=False, name="page_mark"),
            ]

    class Label(Tenanted):
        tenant = to_tenant()
        name = models.CharField(max_length=20)
        shape = models.CharField(max_length=20, blank=True)

        class Meta:
            app_label = "core"
            constraints = [
                models.UniqueConstraint(
                    fields=["tenant_id", "name"],
                    name="label_name",
                    violation_error_message="This label is there.",
                    violation_error_code="unique",
                ),
                models.UniqueConstraint("tenant_id", Lower("shape"), name="label_shape"),
            ]


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def tables(admin: psycopg.Connection) -> Iterator[None]:
    """The tables of these models, isolated like every other."""
    made = [Folder, Page, Label]
    with connections["owner"].schema_editor(collect_sql=True) as editor:
        for model in made:
            editor.create_model(model)
        statements = editor.collected_sql + [str(statement) for statement in editor.deferred_sql]
    with admin.transaction():
        admin.execute("SET LOCAL ROLE app_owner")
        for statement in statements:
            admin.execute(statement)
        for model in made:
            table = model._meta.db_table
            admin.execute(policies(table))
            admin.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO app_tenant, app_platform")
    yield
    admin.execute(f"DROP TABLE {', '.join(model._meta.db_table for model in reversed(made))}")


def form(model: Any, **data: Any) -> Any:
    """A form of the fields that `data` names, filled in."""
    return modelform_factory(model, fields=list(data))(data)


def product(sku: str, **more: Any) -> dict[str, Any]:
    return {"sku": sku, "name": "Anvil", "price_minor": "1", "currency": "EUR", "stock": "0", **more}


def test_a_duplicate_is_an_error_of_its_field(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Product.objects.create(sku="T-1", name="Anvil", price_minor=1, currency="EUR")

        taken = form(Product, **product("T-1"))
        free = form(Product, **product("T-2"))

        assert taken.errors == {"sku": ["Product with this Sku already exists."]}
        assert taken.errors.as_data()["sku"][0].code == "unique"
        assert free.is_valid(), free.errors
        assert free.save().tenant_id == acme.id


def test_the_error_is_of_djangos_catalog(acme: World) -> None:
    with rls.tenant_context(acme.id), translation.override("zh-hant"):
        Product.objects.create(sku="T-1", name="Anvil", price_minor=1, currency="EUR")

        assert form(Product, **product("T-1")).errors["sku"] == ["包含 Sku 的 Product 已經存在。"]


def test_what_another_tenant_has_is_no_duplicate(acme: World, globex: World) -> None:
    with rls.tenant_context(globex.id):
        Product.objects.create(sku="T-1", name="Anvil", price_minor=1, currency="EUR")
        Folder.objects.create(name="Papers")
        Page.objects.create(slug="home", mark="x", nick="n", title="t", shown_on=datetime.date(2026, 1, 1))

    with rls.tenant_context(acme.id):
        assert form(Product, **product("T-1")).is_valid()
        assert form(Folder, name="papers").is_valid()
        page = form(Page, slug="home", mark="x", nick="n", title="t", shown_on="2026-01-01", is_live="on")
        assert page.is_valid(), page.errors
        page.save()


def test_a_row_keeps_its_own_value(acme: World) -> None:
    with rls.tenant_context(acme.id):
        one = Product.objects.create(sku="T-1", name="Anvil", price_minor=1, currency="EUR")
        Product.objects.create(sku="T-2", name="Bolt", price_minor=1, currency="EUR")
        change = modelform_factory(Product, fields=["sku", "name"])

        assert change({"sku": "T-1", "name": "Heavy anvil"}, instance=one).is_valid()
        assert change({"sku": "T-2", "name": "Anvil"}, instance=one).errors == {
            "sku": ["Product with this Sku already exists."]
        }
        # A copy is another row.
        one.pk, one._state.adding = Product().pk, True
        with pytest.raises(ValidationError, match="Sku already exists"):
            one.full_clean()


def test_full_clean_says_the_same(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Page.objects.create(nick="n", mark="x")

        with pytest.raises(ValidationError) as raised:
            Page(nick="n", mark="x").full_clean()

    assert raised.value.message_dict == {
        "nick": ["Page with this Nick already exists."],
        "mark": ["Page with this Mark already exists."],
    }


def test_expressions_and_conditions_are_validated(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Folder.objects.create(name="Papers")
        Page.objects.create(slug="home", mark="1")
        Label.objects.create(name="red", shape="Round")

        assert form(Folder, name="PAPERS").errors == {
            NON_FIELD_ERRORS: ["Constraint “folder_name” is violated."],
        }
        assert form(Page, slug="home", mark="2", is_live="on").errors == {
            NON_FIELD_ERRORS: ["A live page has this address."],
        }
        assert form(Page, slug="home", mark="2", is_live="").is_valid()
        assert form(Page, slug="", mark="2", is_live="on").is_valid()
        # As without the tenant: a code of Django's says where the message stands.
        assert form(Label, name="red", shape="oval").errors == {"name": ["This label is there."]}
        assert form(Label, name="blue", shape="ROUND").errors == {
            NON_FIELD_ERRORS: ["Constraint “label_shape” is violated."],
        }


def test_nulls_are_compared_where_the_constraint_says_so(acme: World) -> None:
    with rls.tenant_context(acme.id):
        folder = Folder.objects.create(name="Papers")
        Page.objects.create(folder=folder)

        assert form(Page, mark="").errors == {"mark": ["Page with this Mark already exists."]}
        assert form(Page, mark="m", folder=folder.pk, code="", nick="").is_valid()


def test_two_fields_beside_the_tenant_are_named_together(acme: World) -> None:
    with rls.tenant_context(acme.id):
        folder, other = Folder.objects.create(name="Papers"), Folder.objects.create(name="More")
        Page.objects.create(folder=folder, code="c", mark="1")

        assert form(Page, folder=folder.pk, code="c", mark="2").errors == {
            NON_FIELD_ERRORS: ["Page with this Folder and Code already exists."],
        }
        assert form(Page, folder=other.pk, code="c", mark="2").is_valid()
        # A form without one of the fields says nothing of them, as ever.
        assert form(Page, folder=folder.pk, mark="2").is_valid()


def test_unique_for_a_date_is_validated(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Page.objects.create(title="news", mark="1", shown_on=datetime.date(2026, 1, 1))

        assert form(Page, title="news", mark="2", shown_on="2026-01-01").errors == {
            "title": ["Title must be unique for Shown on date."],
        }
        assert form(Page, title="news", mark="2", shown_on="2026-01-02").is_valid()


def test_a_second_row_where_a_tenant_has_one_is_an_error_of_the_whole_form(acme: World) -> None:
    with rls.tenant_context(acme.id):
        TenantSettings.objects.get_or_create()
        second = form(TenantSettings, locale="en", currency="EUR", time_zone="UTC")

        assert second.errors == {NON_FIELD_ERRORS: ["Tenant settings with this Tenant already exists."]}


def test_a_formset_compares_its_rows_with_each_other_and_with_the_table(acme: World) -> None:
    rows = modelformset_factory(Product, fields=["sku", "name", "price_minor", "currency"], extra=2)

    def filled(*skus: str) -> Any:
        data = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "0"}
        for number, sku in enumerate(skus):
            data |= {f"form-{number}-{name}": value for name, value in product(sku).items()}
        return rows(data, queryset=Product.objects.none())

    with rls.tenant_context(acme.id):
        Product.objects.create(sku="T-1", name="Anvil", price_minor=1, currency="EUR")

        assert filled("T-1", "T-2").errors == [{"sku": ["Product with this Sku already exists."]}, {}]
        twice = filled("T-3", "T-3")
        assert not twice.is_valid()
        assert twice.non_form_errors() == ["Please correct the duplicate data for sku."]
        assert filled("T-3", "T-4").is_valid()


def test_an_inline_formset_compares_the_rows_of_its_parent(acme: World) -> None:
    rows = inlineformset_factory(Folder, Page, fields=["code", "mark"], extra=2)

    def filled(parent: Any, *codes: str) -> Any:
        data = {"pages-TOTAL_FORMS": "2", "pages-INITIAL_FORMS": "0"}
        for number, code in enumerate(codes):
            data |= {f"pages-{number}-code": code, f"pages-{number}-mark": f"{code}{number}"}
        return rows(data, instance=parent)

    with rls.tenant_context(acme.id):
        folder, other = Folder.objects.create(name="Papers"), Folder.objects.create(name="More")
        Page.objects.create(folder=folder, code="a", mark="1")

        assert filled(folder, "a", "b").errors == [
            {NON_FIELD_ERRORS: ["Page with this Folder and Code already exists."]},
            {},
        ]
        assert filled(other, "a", "b").is_valid()
        assert filled(other, "c", "c").non_form_errors() == ["Please correct the duplicate data for code."]


def test_without_a_context_nothing_is_called_valid(acme: World) -> None:
    with rls.tenant_context(acme.id):
        page = Page.objects.create(slug="home", mark="1")
    unsaved = [
        form(Product, **product("T-1")),
        form(Folder, name="papers"),
        form(Page, slug="home", is_live="on"),
        form(Page, nick="n"),
        form(Page, title="t", shown_on="2026-01-01"),
    ]

    for each in unsaved:
        with pytest.raises(rls.NoTenantContext):
            each.is_valid()
    # The row knows its tenant, and what that tenant has can't be seen.
    with pytest.raises(rls.NoTenantContext):
        page.validate_constraints()


def test_the_platform_validates_a_row_inside_its_own_tenant(acme: World, globex: World) -> None:
    with working():
        for tenant in (acme.id, globex.id):
            Folder.objects.create(tenant_id=tenant, name="Papers")
            Label.objects.create(tenant_id=tenant, name=str(tenant)[-12:], shape="Round")
        Page.objects.create(
            tenant_id=globex.id, slug="home", mark="m", nick="n", title="t", shown_on=datetime.date(2026, 1, 1)
        )
        facts = {"slug": "home", "mark": "m", "nick": "n", "title": "t", "shown_on": datetime.date(2026, 1, 1)}

        Page(tenant_id=acme.id, **facts).full_clean()
        for folder in Folder.objects.all():
            folder.full_clean()
        for label in Label.objects.all():
            label.full_clean()
        with pytest.raises(ValidationError) as raised:
            Page(tenant_id=globex.id, **facts).full_clean()
        with pytest.raises(ValidationError, match="folder_name"):
            Folder(tenant_id=acme.id, name="papers").full_clean()

    assert raised.value.message_dict == {
        NON_FIELD_ERRORS: ["A live page has this address."],
        "mark": ["Page with this Mark already exists."],
        "nick": ["Page with this Nick already exists."],
        "title": ["Title must be unique for Shown on date."],
    }


def test_the_platform_names_the_tenant_of_a_row_before_or_after_its_form(acme: World) -> None:
    with working():
        nobodys = form(Product, **product("T-1"))
        assert nobodys.is_valid(), nobodys.errors
        row = nobodys.save(commit=False)
        row.tenant_id = acme.id
        row.save()

        with pytest.raises(ValidationError) as raised:
            Folder(name="papers").full_clean()

    assert raised.value.message_dict == {"tenant": ["This field cannot be null."]}


def test_a_list_on_the_platform_holds_rows_of_many_tenants(acme: World, globex: World) -> None:
    rows = modelformset_factory(TenantUser, fields=["username"], extra=0)
    with working():
        users = TenantUser.objects.filter(username="ada").order_by("tenant_id")
        assert len({user.tenant_id for user in users}) == len(users) == 2
        data = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "2"}
        for number, user in enumerate(users):
            data |= {f"form-{number}-id": str(user.pk), f"form-{number}-username": "lovelace"}

        formset = rows(data, queryset=users)

        assert formset.is_valid(), formset.errors
        formset.save()


def test_an_inline_row_on_the_platform_is_of_the_tenant_of_its_parent(acme: World, globex: World) -> None:
    rows = inlineformset_factory(Folder, Page, fields=["code", "mark"], extra=2, formset=TenantedInlineFormSet)

    def filled(parent: Any, *marks: str) -> Any:
        data = {"pages-TOTAL_FORMS": "2", "pages-INITIAL_FORMS": "0"}
        for number, mark in enumerate(marks):
            data |= {f"pages-{number}-code": f"{mark}{number}", f"pages-{number}-mark": mark}
        return rows(data, instance=parent)

    with working():
        mine = Folder.objects.create(tenant_id=acme.id, name="Papers")
        theirs = Folder.objects.create(tenant_id=globex.id, name="Papers")
        Page.objects.create(tenant_id=globex.id, mark="x")

        assert filled(theirs, "x", "y").errors == [{"mark": ["Page with this Mark already exists."]}, {}]
        assert filled(mine, "y", "y").non_form_errors() == ["Please correct the duplicate data for mark."]
        formset = filled(mine, "x", "y")
        assert formset.is_valid(), formset.errors
        assert {page.tenant_id for page in formset.save()} == {acme.id}


def test_a_row_of_another_tenant_is_validated_against_what_can_be_seen(acme: World, globex: World) -> None:
    with rls.tenant_context(globex.id):
        Folder.objects.create(name="Papers")

    with rls.tenant_context(acme.id):
        stray = Folder(tenant_id=globex.id, name="papers")
        stray.full_clean(exclude=["tenant"])
        with pytest.raises((rls.CrossTenantWrite, IntegrityError)), transaction.atomic():
            stray.save()


def test_validation_changes_nothing_in_the_row(acme: World) -> None:
    with rls.tenant_context(acme.id):
        item = OrderItem()
        before = dict(item.__dict__)
        with pytest.raises(ValidationError):
            item.full_clean()

    assert {name: value for name, value in item.__dict__.items() if name != "_state"} == {
        name: value for name, value in before.items() if name != "_state"
    }
