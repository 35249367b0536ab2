"""Draft orders: what is in them, what they cost, and their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.utils import translation

import rls
from core.models import Customer, Order, OrderStatus, Product, StockMovement, TenantSettings
from core.services import drafts, tenants
from core.services.drafts import NotForSale, OrderInvalid, Wanted
from core.services.orders import OrderNotFound
from tests.support.approvals import Declined, agreeing, declining
from tests.support.together import CALLERS, together
from tests.support.world import World, working

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def make_product(sku: str, **facts: object) -> Product:
    return Product.objects.create(**({"sku": sku, "name": sku, "price_minor": 500, "currency": "EUR"} | facts))


def test_a_draft_has_todays_prices_and_takes_no_stock(acme: World) -> None:
    with rls.tenant_context(acme.id):
        make_product("B-2", stock=1)

        order = drafts.create(
            items=[Wanted("A-1", 2), Wanted("B-2", 3), Wanted("A-1", 1)],
            customer_email="Bip@acme.example",
            customer_name="Bip",
            discount=Decimal("1.00"),
            note="by Friday",
        ).order

        lines = order.items.values_list("product__sku", "quantity", "price_minor", "currency").order_by("product__sku")
        assert list(lines) == [("A-1", 3, 1999, "EUR"), ("B-2", 3, 500, "EUR")]
        assert (order.number, order.status, order.total_minor) == (2, OrderStatus.DRAFT, 3 * 1999 + 3 * 500 - 100)
        assert (order.currency, order.note, order.placed_at) == ("EUR", "by Friday", None)
        assert order.customer == Customer.objects.get(email="bip@acme.example")
        assert list(Product.objects.order_by("sku").values_list("stock", flat=True)) == [5, 1]
        assert StockMovement.objects.count() == 2


def test_a_walk_in_order_has_no_customer(acme: World) -> None:
    with rls.tenant_context(acme.id):
        order = drafts.create(items=[Wanted("A-1", 1)]).order

        assert order.customer is None
        assert Customer.objects.count() == 1


def test_all_unknown_skus_are_named_at_once(acme: World, globex: World) -> None:
    with rls.tenant_context(globex.id):
        make_product("G-1")

    with rls.tenant_context(acme.id):
        with pytest.raises(NotForSale) as refusal:
            drafts.create(items=[Wanted("Z-9", 1), Wanted("A-1", 1), Wanted("G-1", 1)])

        assert str(refusal.value) == (
            "There are no products with these skus: G-1, Z-9. Call get_tenant_products to see the skus."
        )
        assert Order.objects.count() == 1


@pytest.mark.parametrize(
    ("facts", "words"),
    [({"is_active": False}, "No longer for sale: B-2"), ({"currency": "TWD"}, "currency EUR: B-2")],
)
def test_what_is_not_for_sale_cannot_be_ordered(facts: dict[str, object], words: str, acme: World) -> None:
    with rls.tenant_context(acme.id):
        make_product("B-2", **facts)
        draft = drafts.create(items=[Wanted("A-1", 1)]).order

        with pytest.raises(NotForSale, match=words):
            drafts.create(items=[Wanted("A-1", 1), Wanted("B-2", 1)])
        with pytest.raises(NotForSale, match=words):
            drafts.add_item(draft.number, Wanted("B-2", 1))


def test_a_discount_is_not_more_than_the_goods(acme: World) -> None:
    with (
        rls.tenant_context(acme.id),
        pytest.raises(OrderInvalid, match=r"The discount of €20\.00 is more than the goods"),
    ):
        drafts.create(items=[Wanted("A-1", 1)], discount=Decimal(20))


def test_an_order_is_never_more_than_its_columns_hold(acme: World) -> None:
    with rls.tenant_context(acme.id):
        make_product("DEAR", price_minor=10**15)
        draft = drafts.create(items=[Wanted("DEAR", 1)]).order

        for item in (Wanted("DEAR", 2), Wanted("A-1", 1_000_001)):
            with pytest.raises(
                OrderInvalid,
                match=r"at most 200 lines, 1,000,000 units per line and a total of €10,000,000,000,000\.00",
            ):
                drafts.create(items=[item])
        with pytest.raises(OrderInvalid, match="Split it"):
            drafts.add_item(draft.number, Wanted("DEAR", 1))


@pytest.mark.parametrize(("discount", "questions"), [(199, 0), (200, 1)])
def test_a_discount_above_the_tenants_limit_is_asked_for(discount: int, questions: int, acme: World) -> None:
    with rls.tenant_context(acme.id), agreeing() as seen:
        order = drafts.create(items=[Wanted("A-1", 1)], discount=Decimal(discount) / 100).order

        assert order.total_minor == 1999 - discount
        assert len(seen) == questions
        assert all(
            "The discount of €2.00 is 10% of the goods (€19.99), above the limit of 10%." in text for text in seen
        )


def test_a_declined_discount_writes_nothing(acme: World) -> None:
    with rls.tenant_context(acme.id), declining():
        with pytest.raises(Declined):
            drafts.create(
                items=[Wanted("A-1", 1)],
                discount=Decimal("19.99"),
                customer_email="bip@acme.example",
                customer_name="Bip",
            )

        assert (Order.objects.count(), Customer.objects.count()) == (1, 1)
        assert drafts.create(items=[Wanted("A-1", 1)]).order.number == 2


def test_a_line_that_is_there_gets_more_units_at_its_price(acme: World) -> None:
    with rls.tenant_context(acme.id):
        make_product("B-2")
        draft = drafts.create(items=[Wanted("A-1", 1)], discount=Decimal(1)).order
        Product.objects.update(price_minor=5000)

        drafts.add_item(draft.number, Wanted("A-1", 2))
        order = drafts.add_item(draft.number, Wanted("B-2", 1)).order

        lines = order.items.values_list("product__sku", "quantity", "price_minor").order_by("product__sku")
        assert list(lines) == [("A-1", 3, 1999), ("B-2", 1, 5000)]
        assert order.total_minor == 3 * 1999 + 5000 - 100
        order.refresh_from_db()
        assert order.total_minor == 3 * 1999 + 5000 - 100


def test_only_a_draft_takes_more(acme: World) -> None:
    with (
        rls.tenant_context(acme.id),
        pytest.raises(OrderInvalid, match="Order 1 is paid, and only a draft can be added to"),
    ):
        drafts.add_item(1, Wanted("A-1", 1))


def test_another_tenants_draft_takes_nothing(acme: World, globex: World) -> None:
    with rls.tenant_context(acme.id):
        number = drafts.create(items=[Wanted("A-1", 1)]).order.number

    with rls.tenant_context(globex.id), pytest.raises(OrderNotFound, match="There is no order 2"):
        drafts.add_item(number, Wanted("A-1", 1))


@pytest.mark.parametrize("has_settings", [True, False])
@pytest.mark.django_db
def test_orders_made_at_once_have_numbers_without_a_gap(has_settings: bool) -> None:
    with working():
        tenant = tenants.create(subdomain="busy", name="Busy")
        if not has_settings:
            TenantSettings.objects.filter(tenant=tenant).delete()
    with rls.tenant_context(tenant.id):
        make_product("B-2", currency="TWD")

    orders = together(
        tenant.id,
        lambda _: drafts.create(items=[Wanted("B-2", 1)], customer_email="bip@busy.example", customer_name="Bip").order,
    )

    assert sorted(order.number for order in orders) == list(range(1, CALLERS + 1))
    with rls.tenant_context(tenant.id):
        assert Customer.objects.count() == 1


def test_a_refused_order_leaves_no_gap(acme: World) -> None:
    with rls.tenant_context(acme.id):
        with pytest.raises(NotForSale):
            drafts.create(items=[Wanted("Z-9", 1)])
        with declining(), pytest.raises(Declined):
            drafts.create(items=[Wanted("A-1", 1)], discount=Decimal("19.99"))

        assert drafts.create(items=[Wanted("A-1", 1)]).order.number == 2


def test_two_that_add_to_one_draft_both_do(acme: World) -> None:
    with rls.tenant_context(acme.id):
        make_product("B-2")
        number = drafts.create(items=[Wanted("A-1", 1)]).order.number

    together(acme.id, lambda index: drafts.add_item(number, Wanted("A-1" if index % 2 else "B-2", 1)))

    with rls.tenant_context(acme.id):
        order = Order.objects.get(number=number)
        lines = dict(order.items.values_list("product__sku", "quantity"))
        assert lines == {"A-1": 1 + CALLERS // 2, "B-2": CALLERS // 2}
        assert order.total_minor == lines["A-1"] * 1999 + lines["B-2"] * 500
