"""Cases 6-10: writes."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from core.models import Order, OrderItem, Product
from rls import CrossTenantWrite, platform_context, tenant_context
from tests.world import World


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
    with tenant_context(acme.id), pytest.raises(CrossTenantWrite):
        Product.objects.filter(id=acme.product_id).update(tenant_id=globex.id)

    with tenant_context(acme.id):
        assert Product.objects.get().tenant_id == acme.id


def test_another_tenants_row_cannot_be_changed_or_deleted(
    acme: World, globex: World, admin: psycopg.Connection
) -> None:
    before = snapshot(admin, globex)

    with tenant_context(acme.id):
        assert Product.objects.filter(id=globex.product_id).update(name="mine") == 0
        assert OrderItem.objects.filter(id=globex.item_id).delete()[0] == 0
        assert Product.objects.bulk_update([product(id=globex.product_id, name="mine")], ["name"]) == 0
        with connection.cursor() as cursor:
            cursor.execute("UPDATE core_product SET name = 'mine' WHERE id = %s", [globex.product_id])
            assert cursor.rowcount == 0
            cursor.execute("UPDATE core_product SET stock = stock + 1")
            assert cursor.rowcount == 1

    assert snapshot(admin, globex) == before


def test_an_upsert_does_not_reach_another_tenants_row(acme: World, globex: World, admin: psycopg.Connection) -> None:
    before = snapshot(admin, globex)
    facts = {"update_conflicts": True, "update_fields": ["name"], "unique_fields": ["id"]}

    with tenant_context(acme.id), pytest.raises(CrossTenantWrite) as refused:
        Product.objects.bulk_create([product(id=globex.product_id, name="mine")], **facts)

    assert "Globex" not in str(refused.value)
    assert snapshot(admin, globex) == before


def test_the_same_unique_value_is_free_in_each_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        product(sku="SAME").save()
    with tenant_context(globex.id):
        product(sku="SAME").save()

        with pytest.raises(IntegrityError, match="product_sku_unique"):
            product(sku="SAME").save()


def refusal(world: World, **facts: object) -> str:
    """What the database says to an order line with these facts, without the ids that the caller named itself."""
    line = {"order_id": world.order_id, "product_id": world.product_id, "quantity": 1, "price_minor": 1}
    named = line | facts
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        OrderItem.objects.create(**named, currency="EUR")
    text = str(refused.value)
    for value in named.values():
        text = text.replace(str(value), "<id>")
    return text


@pytest.mark.parametrize(("field", "of"), [("order_id", "order_id"), ("product_id", "product_id")])
def test_a_child_cannot_point_at_another_tenants_parent(field: str, of: str, acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        OrderItem.objects.all().delete()

        other = refusal(acme, **{field: getattr(globex, of)})
        missing = refusal(acme, **{field: uuid.uuid4()})

    assert "foreign key" in other
    assert other == missing


def test_not_even_the_platform_can_join_two_tenants(acme: World, globex: World) -> None:
    line = {"quantity": 1, "price_minor": 1, "currency": "EUR"}

    with (
        pytest.raises(IntegrityError, match="foreign key"),
        platform_context(actor="tests", reason="join two"),
    ):
        OrderItem.objects.create(tenant_id=acme.id, order_id=acme.order_id, product_id=globex.product_id, **line)


def test_a_cascade_stays_in_its_tenant(acme: World, globex: World, admin: psycopg.Connection) -> None:
    before = snapshot(admin, globex)

    with tenant_context(acme.id):
        Order.objects.all().delete()

        assert OrderItem.objects.count() == 0
    assert snapshot(admin, globex) == before
