"""The demo shop: the same seed gives the same shop, its books are in order, and it can be asked for by many at once."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.db.models import F, Sum
from django.utils import timezone

from core.models import (
    Customer,
    Order,
    OrderItem,
    OrderStatus,
    Payment,
    PaymentKind,
    Product,
    StockMovement,
    TenantSettings,
)
from core.services import demo, demo_goods, search, tenants
from core.services.demo import DemoCounts, Size
from rls import tenant_context
from tests.support.world import working

pytestmark = pytest.mark.slow

Rows = list[tuple[object, ...]]


def new_tenant(subdomain: str) -> UUID:
    with working():
        return tenants.create(subdomain=subdomain, name=subdomain).id


def rows(model: Any, *fields: str) -> Rows:
    return list(model.objects.order_by(*fields).values_list(*fields))


def shop(tenant_id: UUID) -> dict[str, Rows]:
    """All that a shop holds, without the ids."""
    with tenant_context(tenant_id):
        return {
            "products": rows(Product, "sku", "name", "category", "price_minor", "stock", "is_active", "created_at"),
            "customers": rows(Customer, "email", "name", "created_at"),
            "orders": rows(Order, "number", "status", "customer__email", "total_minor", "created_at", "placed_at"),
            "items": rows(OrderItem, "order__number", "product__sku", "quantity", "price_minor"),
            "payments": rows(Payment, "order__number", "kind", "method", "amount_minor", "created_at"),
            "movements": rows(
                StockMovement, "product__sku", "created_at", "quantity", "stock_after", "reason", "order__number"
            ),
        }


def require_books_in_order() -> None:
    """Stock, totals, payments and dates of the open context agree with each other."""
    ledger: dict[UUID, int] = defaultdict(int)
    for movement in StockMovement.objects.order_by("created_at", "id"):
        ledger[movement.product_id] += movement.quantity
        assert movement.stock_after == ledger[movement.product_id]
    for product in Product.objects.all():
        assert product.stock == ledger[product.id]

    now = timezone.now()
    goods = dict(Order.objects.values_list("id").annotate(goods=Sum(F("items__quantity") * F("items__price_minor"))))
    moved = dict(StockMovement.objects.filter(order__isnull=False).values_list("order").annotate(Sum("quantity")))
    units = dict(OrderItem.objects.values_list("order").annotate(Sum("quantity")))
    money: dict[UUID, dict[str, int]] = defaultdict(dict)
    for payment in Payment.objects.all():
        money[payment.order_id][payment.kind] = payment.amount_minor
    for order in Order.objects.select_related("customer"):
        assert order.total_minor == goods[order.id] - order.discount_minor
        assert (order.placed_at is None) == (order.status == OrderStatus.DRAFT)
        assert order.created_at < (order.placed_at or now) <= now
        assert order.customer is None or order.customer.created_at <= order.created_at
        assert moved.get(order.id, 0) == (-units[order.id] if order.placed_at and not order.cancelled_at else 0)
        paid, refunded = (money[order.id].get(kind, 0) for kind in PaymentKind)
        is_paid = order.status in (OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.DELIVERED)
        assert paid - refunded == (order.total_minor if is_paid else 0)
        assert paid in (0, order.total_minor)


@pytest.mark.django_db
def test_the_same_seed_gives_the_same_shop() -> None:
    first, second, other = (new_tenant(name) for name in ("first", "second", "other"))

    for tenant_id, seed in ((first, 7), (second, 7), (other, 8)):
        with tenant_context(tenant_id):
            demo.create(orders=5, seed=seed)

    made = shop(first)
    assert len(made["products"]) == len(demo_goods.GOODS)
    assert {row[0] for row in made["orders"]} == {1, 2, 3, 4, 5}
    assert shop(second) == made
    assert shop(other)["items"] != made["items"]


@pytest.mark.parametrize("size", [Size.SMALL, Size.MEDIUM])
@pytest.mark.django_db
def test_the_books_are_in_order(size: Size) -> None:
    with tenant_context(new_tenant("first")):
        counts = demo.create(size=size)

        require_books_in_order()
        expected = demo.SHOPS[size]
        assert (counts.products, counts.customers, counts.orders) == (
            Product.objects.count(),
            Customer.objects.count(),
            Order.objects.count(),
        )
        assert (counts.products, counts.customers, counts.orders) == (
            expected.products,
            expected.customers,
            expected.orders,
        )
        assert (counts.order_items, counts.movements, counts.payments) == (
            OrderItem.objects.count(),
            StockMovement.objects.count(),
            Payment.objects.count(),
        )


@pytest.mark.django_db
def test_a_medium_shop_has_some_of_everything() -> None:
    with tenant_context(new_tenant("first")):
        demo.create(size=Size.MEDIUM)

        assert set(Order.objects.values_list("status", flat=True)) == set(OrderStatus)
        assert set(Payment.objects.values_list("kind", flat=True)) == set(PaymentKind)
        assert Product.objects.filter(is_active=False).exists()
        assert Product.objects.filter(headroom__lte=0, is_active=True).exists()
        assert Order.objects.filter(customer=None).exists()
        assert Order.objects.filter(discount_minor__gt=0).exists()
        # Nobody gives a discount in cents of TWD.
        assert {each % 100 for each in Order.objects.values_list("total_minor", flat=True)} == {0}
        days = Order.objects.datetimes("created_at", "day")
        assert len(days) == demo.SHOPS[Size.MEDIUM].days
        found = search.matching(Product.objects.all(), "烏龍")
        assert {"TEA-001"} < {product.sku for product in found}


def test_a_large_catalogue_has_no_twins() -> None:
    largest = demo.SHOPS[Size.LARGE]

    goods = demo_goods.goods(largest.products)
    customers = demo_goods.customers(largest.customers)

    assert len({good.sku for good in goods}) == len({good.name for good in goods}) == largest.products
    assert len({email for _, email in customers}) == largest.customers
    assert demo_goods.goods(len(demo_goods.GOODS)) == list(demo_goods.GOODS)


@pytest.mark.django_db
def test_a_second_call_only_adds_orders() -> None:
    tenant_id = new_tenant("first")
    with tenant_context(tenant_id):
        first = demo.create(orders=5)
        before = shop(tenant_id)

        second = demo.create(orders=2)

        require_books_in_order()
    after = shop(tenant_id)
    assert (first.users, first.products, first.customers, first.orders) == (len(demo_goods.USERS), 8, 3, 5)
    assert (second.users, second.products, second.customers, second.orders) == (0, 0, 0, 2)
    assert second.order_items == len(after["items"]) - len(before["items"])
    assert [row[0] for row in after["orders"]] == [1, 2, 3, 4, 5, 6, 7]
    assert after["customers"] == before["customers"]
    for kept in ("orders", "items", "payments", "movements"):
        assert set(before[kept]) <= set(after[kept])


@pytest.mark.django_db
def test_call_after_call_keeps_the_books_in_order() -> None:
    with tenant_context(new_tenant("first")):
        for seed in range(5):
            demo.create(orders=40, seed=seed)

        require_books_in_order()


@pytest.mark.django_db
def test_a_shop_grows_when_a_larger_one_is_asked_for() -> None:
    with tenant_context(new_tenant("first")):
        demo.create()

        counts = demo.create(size=Size.MEDIUM)

        require_books_in_order()
        assert (counts.users, counts.products, counts.customers) == (0, 192, 97)


@pytest.mark.django_db
def test_a_shop_is_of_its_tenants_currency() -> None:
    with tenant_context(new_tenant("first")):
        TenantSettings.objects.update(currency="JPY")

        demo.create()

        assert Product.objects.get(sku="TEA-001").price_minor == 480
        assert set(Order.objects.values_list("currency", flat=True)) == {"JPY"}


@pytest.mark.django_db
def test_without_an_active_product_there_is_nothing_to_sell() -> None:
    with tenant_context(new_tenant("first")):
        demo.create()
        Product.objects.update(is_active=False)

        with pytest.raises(demo.NothingToSell, match="TEA-001"):
            demo.create()


@pytest.mark.django_db
def test_progress_ends_with_the_last_order() -> None:
    said: list[tuple[int, int]] = []
    with tenant_context(new_tenant("first")):
        demo.create(size=Size.MEDIUM, on_progress=lambda done, total: said.append((done, total)))

    assert said == [(500, 1000), (1000, 1000)]


@pytest.mark.django_db
def test_orders_made_at_once_have_different_numbers() -> None:
    tenant_id, callers = new_tenant("first"), 8
    together = Barrier(callers)

    def call(seed: int) -> DemoCounts:
        try:
            with tenant_context(tenant_id):
                together.wait(timeout=300)
                return demo.create(orders=3, seed=seed)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(callers) as threads:
        counts = list(threads.map(call, range(callers)))

    with tenant_context(tenant_id):
        numbers = list(Order.objects.order_by("number").values_list("number", flat=True))
        require_books_in_order()
    assert numbers == list(range(1, 3 * callers + 1))
    assert sum(count.products for count in counts) == len(demo_goods.GOODS)
