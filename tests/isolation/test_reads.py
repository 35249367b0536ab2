"""Cases 1-5: reads."""

from __future__ import annotations

import asyncio

import pytest
from django.db import connection
from django.db.models import Count, Sum

from core.models import Order, OrderItem, Product, TenantUser
from rls import NoTenantContext, tenant_context
from tests.world import World


def names(sql: str, *params: object) -> list[str]:
    """The first column of what `sql` returns on the serving connection."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params or None)
        return [row[0] for row in cursor.fetchall()]


def test_every_way_to_read_sees_one_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        assert [product.name for product in Product.objects.all()] == ["Acme anvil"]
        assert Product.objects.count() == 1
        assert Product.objects.aggregate(Sum("stock")) == {"stock__sum": 5}
        assert not Product.objects.filter(name__startswith="Globex").exists()
        assert [product.name for product in Product.objects.iterator(chunk_size=1)] == ["Acme anvil"]
        assert list(Product.objects.in_bulk([acme.product_id, globex.product_id])) == [acme.product_id]
        assert Product.objects.values("currency").annotate(Count("id")).get()["id__count"] == 1


def test_async_reads_see_one_tenant(acme: World, globex: World) -> None:
    async def read() -> list[str]:
        async with tenant_context(acme.id):
            first = [product.name async for product in Product.objects.all()]
            second = [product.name async for product in Product.objects.aiterator()]
            return first + second

    assert asyncio.run(read()) == ["Acme anvil", "Acme anvil"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM core_product",
        "SELECT name FROM core_product WHERE true OR tenant_id IS NOT NULL",
        "SELECT (SELECT string_agg(name, ',') FROM core_product)",
        "WITH everything AS MATERIALIZED (SELECT * FROM core_product) SELECT name FROM everything",
        "SELECT name FROM core_product UNION SELECT name FROM core_product",
        "SELECT last_value(name) OVER (ORDER BY name) FROM core_product",
        "SELECT a.name FROM core_product AS a FULL JOIN core_product AS b ON a.sku = b.sku",
        "SELECT name FROM core_product TABLESAMPLE system (100)",
        "SELECT name FROM core_product ORDER BY ctid DESC",
        "TABLE core_product",
    ],
)
def test_raw_sql_sees_one_tenant(sql: str, acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        rows = names(sql)

    assert len(rows) == 1
    assert "Globex" not in str(rows)


def test_relations_see_one_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        item = OrderItem.objects.select_related("product", "order__placed_by").get()
        order = Order.objects.prefetch_related("items__product").get()
        product = Product._base_manager.get()
        product.refresh_from_db()

        assert (item.product_id, item.order_id) == (acme.product_id, acme.order_id)
        assert [each.product.name for each in order.items.all()] == ["Acme anvil"]
        assert product.order_items.get().order.placed_by.email == "ada@acme.example"
        assert OrderItem(order_id=globex.order_id).order_id == globex.order_id
        with pytest.raises(Order.DoesNotExist):
            _ = OrderItem(order_id=globex.order_id).order


def test_a_row_of_another_tenant_is_a_missing_row(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(Product.DoesNotExist) as other:
            Product.objects.get(id=globex.product_id)
        with pytest.raises(Product.DoesNotExist) as missing:
            Product.objects.get(id=acme.order_id)

    assert str(other.value) == str(missing.value)


def test_a_tenant_sees_its_own_row_of_the_tenant_table(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        assert names("SELECT subdomain FROM core_tenant") == ["acme"]


def test_a_queryset_is_evaluated_in_the_context_it_is_read_in(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        products = Product.objects.all()

    with tenant_context(globex.id):
        assert [product.name for product in products.all()] == ["Globex anvil"]
    with pytest.raises(NoTenantContext):
        list(products.all())


def test_a_lazy_relation_does_not_leave_its_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        order = Order.objects.get()

    with tenant_context(globex.id):
        assert list(order.items.all()) == []
        with pytest.raises(TenantUser.DoesNotExist):
            _ = order.placed_by
