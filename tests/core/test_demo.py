"""The demo shop: the same seed gives the same shop, and it can be asked for by many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

from django.db import connections

from core.models import Order, OrderItem, Product
from core.services import demo, tenants
from core.services.demo import DemoCounts
from rls import tenant_context
from tests.world import working

Shop = tuple[list[tuple[object, ...]], list[tuple[object, ...]]]


def new_tenant(subdomain: str) -> UUID:
    with working():
        return tenants.create(subdomain=subdomain, name=subdomain).id


def shop(tenant_id: UUID) -> Shop:
    """All that a shop holds, without the ids."""
    with tenant_context(tenant_id):
        products = Product.objects.values_list("sku", "name", "price_minor", "stock").order_by("sku")
        items = OrderItem.objects.values_list(
            "order__number", "order__status", "product__sku", "quantity", "price_minor"
        )
        return list(products), list(items.order_by("order__number", "product__sku"))


def test_the_same_seed_gives_the_same_shop() -> None:
    first, second, other = (new_tenant(name) for name in ("first", "second", "other"))

    for tenant_id, seed in ((first, 7), (second, 7), (other, 8)):
        with tenant_context(tenant_id):
            demo.create(orders=5, seed=seed)

    products, items = shop(first)
    assert len(products) == len(demo.GOODS)
    assert {number for number, *_ in items} == {1, 2, 3, 4, 5}
    assert shop(second) == (products, items)
    assert shop(other) != (products, items)


def test_a_second_call_only_adds_orders() -> None:
    tenant_id = new_tenant("first")
    with tenant_context(tenant_id):
        first = demo.create(orders=5)
        before = shop(tenant_id)

        second = demo.create(orders=2)

        numbers = list(Order.objects.order_by("number").values_list("number", flat=True))
    products, items = shop(tenant_id)
    assert first == DemoCounts(len(demo.USERS), len(demo.GOODS), 5, len(before[1]))
    assert second == DemoCounts(0, 0, 2, len(items) - len(before[1]))
    assert numbers == [1, 2, 3, 4, 5, 6, 7]
    assert (products, items[: len(before[1])]) == before


def test_orders_made_at_once_have_different_numbers() -> None:
    tenant_id, callers = new_tenant("first"), 8
    together = Barrier(callers)

    def call(seed: int) -> DemoCounts:
        try:
            with tenant_context(tenant_id):
                together.wait(timeout=30)
                return demo.create(orders=3, seed=seed)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(callers) as threads:
        counts = list(threads.map(call, range(callers)))

    with tenant_context(tenant_id):
        numbers = list(Order.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, 3 * callers + 1))
    assert sum(count.products for count in counts) == len(demo.GOODS)
