"""Cases 6-10: writes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, connection, models, transaction

from core.models import Export, ExportPart, OrderItem, Payment, Product, StockMovement
from mcp_server.ledger.models import AuditEvent, CallRecord
from mcp_server.tokens.models import ApiToken
from rls import CrossTenantWrite, platform_context, tenant_context
from rls.models import Tenanted
from tests.support.world import World


def snapshot(admin: psycopg.Connection, world: World) -> list[tuple[object, ...]]:
    """Every product and order line of a tenant, as a superuser sees them."""
    return admin.execute(
        "SELECT to_jsonb(p), to_jsonb(i) FROM core_product p LEFT JOIN core_orderitem i ON i.product_id = p.id "
        "WHERE p.tenant_id = %s ORDER BY p.id",
        [world.id],
    ).fetchall()


def product(**facts: object) -> Product:
    return Product(**{"sku": "X-1", "name": "x", "price_minor": 1, "currency": "EUR"} | facts)


def test_a_row_cannot_be_written_for_another_tenant(acme: World, globex: World, admin: psycopg.Connection) -> None:
    before = snapshot(admin, globex)

    with tenant_context(acme.id):
        with pytest.raises(CrossTenantWrite):
            product(tenant_id=globex.id).save()
        with pytest.raises(CrossTenantWrite):
            Product.objects.create(tenant_id=globex.id, sku="X", name="x", price_minor=1, currency="EUR")
        with pytest.raises(CrossTenantWrite):
            Product.objects.bulk_create([product(tenant_id=globex.id)])
        with pytest.raises(CrossTenantWrite), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO core_product (tenant_id, sku, name, price_minor, currency, stock, is_active)"
                " VALUES (%s, 'X', 'x', 1, 'EUR', 0, true)",
                [globex.id],
            )

    assert snapshot(admin, globex) == before


def test_a_row_without_a_tenant_gets_the_open_one(acme: World) -> None:
    with tenant_context(acme.id):
        saved = product()
        saved.save()
        [bulk] = Product.objects.bulk_create([product(sku="X-2")])
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO core_product (sku, name, price_minor, currency, stock, is_active)"
                " VALUES ('X-3', 'x', 1, 'EUR', 0, true) RETURNING tenant_id"
            )
            [raw] = cursor.fetchone()

    assert {saved.tenant_id, bulk.tenant_id, raw} == {acme.id}
    assert isinstance(bulk.id, uuid.UUID)


def test_a_row_cannot_be_moved_to_another_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        moved = Product.objects.get()
        moved.tenant_id = globex.id
        with pytest.raises(CrossTenantWrite):
            moved.save()
        with pytest.raises(CrossTenantWrite):
            Product.objects.filter(id=acme.product_id).update(tenant_id=globex.id)
        with pytest.raises(CrossTenantWrite), connection.cursor() as cursor:
            cursor.execute("UPDATE core_product SET tenant_id = %s", [globex.id])

        assert Product.objects.get().tenant_id == acme.id


def test_another_tenants_row_cannot_be_changed_or_deleted(
    acme: World, globex: World, admin: psycopg.Connection
) -> None:
    before = snapshot(admin, globex)

    with tenant_context(acme.id):
        assert Product.objects.filter(id=globex.product_id).update(name="mine") == 0
        assert OrderItem.objects.filter(id=globex.item_id).delete()[0] == 0
        assert Product.objects.bulk_update([product(id=globex.product_id, name="mine")], ["name"]) == 0
        with pytest.raises(DatabaseError, match="did not affect any rows"):
            product(id=globex.product_id, name="mine").save(force_update=True)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE core_product SET name = 'mine' WHERE id = %s", [globex.product_id])
            assert cursor.rowcount == 0
            cursor.execute("DELETE FROM core_orderitem WHERE id = %s", [globex.item_id])
            assert cursor.rowcount == 0
            cursor.execute("UPDATE core_product SET stock = stock + 1")
            assert cursor.rowcount == 1

    assert snapshot(admin, globex) == before


UPSERT = {"update_conflicts": True, "update_fields": ["name"], "unique_fields": ["id"]}
INSERT = (
    "INSERT INTO core_product (id, sku, name, price_minor, currency, stock, is_active)"
    " VALUES (%s, 'X', 'mine', 1, 'EUR', 0, true) "
)


def raw(statement: str, id: uuid.UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [id])


@pytest.mark.parametrize(
    ("upsert", "refusal"),
    [
        (lambda id: Product.objects.bulk_create([product(id=id, name="mine")], **UPSERT), CrossTenantWrite),
        (lambda id: raw(INSERT + "ON CONFLICT (id) DO UPDATE SET name = 'mine'", id), CrossTenantWrite),
        (lambda id: product(id=id, name="mine").save(force_insert=True), IntegrityError),
        (lambda id: raw(INSERT, id), IntegrityError),
    ],
)
def test_an_upsert_does_not_reach_another_tenants_row(
    upsert: Callable[[uuid.UUID], object],
    refusal: type[Exception],
    acme: World,
    globex: World,
    admin: psycopg.Connection,
) -> None:
    before = snapshot(admin, globex)

    with tenant_context(acme.id), pytest.raises(refusal) as refused:
        upsert(globex.product_id)

    assert "Globex" not in str(refused.value)
    assert "DETAIL" not in str(refused.value)
    assert snapshot(admin, globex) == before


def test_the_same_unique_value_is_free_in_each_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        product(sku="SAME").save()
    with tenant_context(globex.id):
        product(sku="SAME").save()

        with pytest.raises(IntegrityError, match="product_sku_unique"):
            product(sku="SAME").save()


RELATIONS = [
    field
    for model in apps.get_models()
    for field in model._meta.fields
    if issubclass(model, Tenanted) and field.related_model and issubclass(field.related_model, Tenanted)
]


# What is written once and never changed: the serving role may insert, and app_platform neither.
APPEND_ONLY = {AuditEvent, CallRecord, ExportPart, Payment, StockMovement}
PLATFORM_CHANGES_NOT = {*APPEND_ONLY, Export}


def refusal(child: models.ForeignKey[Any, Any], parent_id: uuid.UUID, words: str = "foreign key") -> str:
    """What the database says to a row that would point at this parent, without the ids that the caller knows."""
    with (
        pytest.raises(DatabaseError, match=words) as refused,
        transaction.atomic(using=child.model.objects.db),
    ):
        if child.model in APPEND_ONLY and words == "foreign key":
            row = child.model.objects.get(pk=child.model.objects.values_list("pk", flat=True)[0])
            row.pk = uuid.uuid4()
            setattr(row, child.attname, parent_id)
            row.save(force_insert=True)
        else:
            child.model.objects.update(**{child.attname: parent_id})
    return re.sub(r"[0-9a-f-]{36}", "<id>", str(refused.value))


@pytest.mark.parametrize("child", RELATIONS, ids=str)
def test_a_child_cannot_point_at_another_tenants_parent(
    child: models.ForeignKey[Any, Any], acme: World, globex: World, admin: psycopg.Connection
) -> None:
    query = f"SELECT id FROM {child.related_model._meta.db_table} WHERE tenant_id = %s"
    [parent_id] = admin.execute(query, [globex.id]).fetchone() or []

    with platform_context(actor="tests", reason="join two"):
        child.model.objects.exclude(tenant_id=acme.id).delete()
        words = "permission denied" if child.model in PLATFORM_CHANGES_NOT else "foreign key"
        assert refusal(child, parent_id, words) == refusal(child, uuid.uuid4(), words)
    if child.model is not ApiToken:  # the serving role has no right on it
        with tenant_context(acme.id):
            assert refusal(child, parent_id) == refusal(child, uuid.uuid4())


def test_a_child_is_not_born_of_another_tenants_parent(acme: World, globex: World) -> None:
    line = {"quantity": 1, "price_minor": 1, "currency": "EUR"}

    with tenant_context(acme.id), pytest.raises(IntegrityError, match="foreign key"):
        OrderItem.objects.create(order_id=acme.order_id, product_id=globex.product_id, **line)
    with pytest.raises(IntegrityError, match="foreign key"), platform_context(actor="tests", reason="join two"):
        OrderItem.objects.create(tenant_id=acme.id, order_id=acme.order_id, product_id=globex.product_id, **line)


def test_a_cascade_stays_in_its_tenant(acme: World, globex: World, admin: psycopg.Connection) -> None:
    files = "SELECT count(*) FROM core_export e JOIN core_exportpart p ON p.export_id = e.id WHERE e.tenant_id = %s"

    with tenant_context(acme.id):
        Export.objects.all().delete()

        assert ExportPart.objects.count() == 0
    assert admin.execute(files, [globex.id]).fetchone() == (1,)
