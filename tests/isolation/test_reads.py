"""Cases 1-5: reads."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from django.db import connection, models
from django.db.models import Count, Sum, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.test import Client
from django.test.utils import isolate_apps
from django.urls import path

from core.middleware import requires
from core.models import Order, OrderItem, Product, TenantUser
from core.scopes import Scope
from core.views import not_found
from rls import NoTenantContext, tenant_context
from tests.support.world import World


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
        "SELECT p.name FROM core_orderitem AS i JOIN core_product AS p ON p.id = i.product_id",
        "SELECT p.name FROM core_product AS p CROSS JOIN core_tenant",
        "SELECT p.name FROM (VALUES (1)) AS v (n) LEFT JOIN LATERAL (SELECT name FROM core_product) AS p ON true",
        "SELECT name FROM core_product WHERE EXISTS (SELECT FROM core_order) OR true",
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
        with pytest.raises(Product.DoesNotExist):
            Product(id=globex.product_id).refresh_from_db()
        of_globex = Order(id=globex.order_id)
        assert list(of_globex.items.all()) == []
        prefetch_related_objects([of_globex], "items__product")
        assert list(of_globex.items.all()) == []


@isolate_apps("core")
def test_a_many_to_many_field_sees_one_tenant(acme: World, globex: World) -> None:
    class Thing(models.Model):
        id = models.UUIDField(primary_key=True)

        class Meta:
            app_label, db_table, managed = "core", "core_product", False

    class Basket(models.Model):
        id = models.UUIDField(primary_key=True)
        things = models.ManyToManyField(Thing, through="Line", related_name="baskets")

        class Meta:
            app_label, db_table, managed = "core", "core_order", False

    class Line(models.Model):
        basket = models.ForeignKey(Basket, models.CASCADE, db_column="order_id")
        thing = models.ForeignKey(Thing, models.CASCADE, db_column="product_id")

        class Meta:
            app_label, db_table, managed = "core", "core_orderitem", False

    with tenant_context(acme.id):
        assert [thing.id for thing in Basket.objects.get().things.all()] == [acme.product_id]
        assert [basket.id for basket in Thing.objects.get().baskets.all()] == [acme.order_id]
        assert list(Basket(id=globex.order_id).things.all()) == []
        assert Line.objects.count() == 1


def test_a_row_of_another_tenant_is_a_missing_row(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(Product.DoesNotExist) as other:
            Product.objects.get(id=globex.product_id)
        with pytest.raises(Product.DoesNotExist) as missing:
            Product.objects.get(id=acme.order_id)

    assert str(other.value) == str(missing.value)


@requires(Scope.PRODUCTS_READ)
def show(request: HttpRequest, tenant: str, id: UUID) -> HttpResponse:
    """A view as an app would add one."""
    return HttpResponse(get_object_or_404(Product, id=id).name)


urlpatterns = [path("t/<str:tenant>/products/<uuid:id>", show)]
handler404 = not_found


@pytest.mark.urls(__name__)
def test_a_page_of_another_tenants_row_is_the_page_of_a_missing_row(acme: World, globex: World) -> None:
    own, other, missing = (
        Client().get(f"/t/acme/products/{id}", headers={"Authorization": f"Bearer {acme.token}"})
        for id in (acme.product_id, globex.product_id, acme.order_id)
    )

    assert own.content == b"Acme anvil"
    assert (other.status_code, other.content, other.headers) == (404, missing.content, missing.headers)


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


def test_what_was_read_in_one_context_stays_what_it_was(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        Product.objects.create(sku="A-2", name="Acme rocket", price_minor=1, currency="EUR")
        evaluated = Product.objects.order_by("sku")
        started = Product.objects.order_by("sku").iterator(chunk_size=1)
        first = next(started)
        assert len(evaluated) == 2

    with tenant_context(globex.id):
        assert [product.name for product in (first, *started)] == ["Acme anvil", "Acme rocket"]
        assert [product.name for product in evaluated] == ["Acme anvil", "Acme rocket"]
        assert [product.name for product in evaluated.all()] == ["Globex anvil"]


def test_a_lazy_relation_does_not_leave_its_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        order = Order.objects.get()

    with tenant_context(globex.id):
        assert list(order.items.all()) == []
        with pytest.raises(TenantUser.DoesNotExist):
            _ = order.placed_by
