"""Stock: what is low comes first, and the ledger's sum is what is on hand, whoever moves units at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from core.models import MovementReason, Product, StockMovement
from core.services import inventory, product_changes, products, stock
from core.services.inventory import AdjustmentInvalid, AdjustmentReason
from core.services.products import ProductNotFound
from core.services.stock import OutOfStock, TooMuchStock
from mcp_server.pages import InvalidCursor
from rls import tenant_context
from tests.support.approvals import Declined, agreeing, declining
from tests.support.together import together
from tests.support.world import World


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def create(sku: str, *, units: int, reorder_level: int = 5) -> Product:
    return product_changes.create(
        sku=sku, name=f"Thing {sku}", price=Decimal(5), actor="mei", opening_stock=units, reorder_level=reorder_level
    )


def adjust(sku: str, quantity: int, reason: AdjustmentReason = AdjustmentReason.COUNT) -> StockMovement:
    return inventory.adjust(sku, quantity, reason=reason, actor="mei", note="shelf 3")


def ledger(sku: str) -> int | None:
    total: int | None = StockMovement.objects.filter(product__sku=sku).aggregate(sum=Sum("quantity"))["sum"]
    return total


def skus(**filters: bool) -> list[str]:
    return [product.sku for product in inventory.page(limit=100, cursor=None, **filters).rows]


def test_what_is_lowest_comes_first(acme: World) -> None:
    with tenant_context(acme.id):
        create("PLENTY", units=50)
        create("LOW", units=3)
        create("OUT", units=0)
        product_changes.set_active("OUT", is_active=False)

        assert skus() == ["LOW", "A-1", "PLENTY"]
        assert skus(low_only=True) == ["LOW"]
        assert skus(low_only=True, include_inactive=True) == ["OUT", "LOW"]


def test_a_list_is_one_statement(acme: World) -> None:
    with tenant_context(acme.id):
        with CaptureQueriesContext(connection) as statements:
            inventory.page(limit=20, cursor=None, low_only=True)

        assert len(statements) == 1


def test_a_cursor_is_good_for_its_filters_and_its_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        create("LOW", units=3)
        first = inventory.page(limit=1, cursor=None)
        second = inventory.page(limit=1, cursor=first.cursor)

        assert [product.sku for product in [*first.rows, *second.rows]] == ["LOW", "A-1"]
        with pytest.raises(InvalidCursor):
            inventory.page(limit=1, cursor=first.cursor, low_only=True)

    with tenant_context(globex.id):
        with pytest.raises(InvalidCursor):
            inventory.page(limit=1, cursor=first.cursor)


def test_an_adjustment_is_a_movement(acme: World) -> None:
    with tenant_context(acme.id):
        movement = adjust("A-1", 20, AdjustmentReason.PURCHASE)

        assert (movement.quantity, movement.stock_after, movement.reason) == (20, 25, "purchase")
        assert (movement.actor, movement.note) == ("mei", "shelf 3")
        assert products.get("A-1").stock == ledger("A-1") == 25


def test_the_last_movements_come_with_their_orders_in_one_statement(acme: World) -> None:
    with tenant_context(acme.id):
        for units in range(1, 5):
            adjust("A-1", units)

        with CaptureQueriesContext(connection) as statements:
            product = products.get("A-1")
            movements = [
                (movement.quantity, movement.order.number if movement.order else None)
                for movement in stock.recent(product, limit=5)
            ]

        assert len(statements) == 2
        assert movements == [(4, None), (3, None), (2, None), (1, None), (-2, 1)]


@pytest.mark.parametrize(
    ("quantity", "reason", "words"),
    [
        (0, AdjustmentReason.COUNT, "A quantity of 0 changes nothing."),
        (-1, AdjustmentReason.PURCHASE, "its quantity must be positive"),
        (1, AdjustmentReason.DAMAGE, "the quantity must be negative"),
    ],
)
def test_a_quantity_fits_its_reason(quantity: int, reason: AdjustmentReason, words: str, acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(AdjustmentInvalid) as error:
            adjust("A-1", quantity, reason)

        assert words in str(error.value)
        assert products.get("A-1").stock == 5


def test_stock_is_never_below_zero(acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(OutOfStock, match="A-1 has 5 units in stock, but 6 are needed"):
            adjust("A-1", -6)

        assert products.get("A-1").stock == ledger("A-1") == 5


def test_stock_is_never_more_than_its_column_holds(acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(TooMuchStock, match="2,147,483,647"):
            adjust("A-1", stock.MAX_STOCK)

        adjust("A-1", stock.MAX_STOCK - 5)

        assert products.get("A-1").stock == stock.MAX_STOCK


def test_more_than_the_cap_is_asked_for(acme: World) -> None:
    with tenant_context(acme.id):
        with declining() as asked:
            adjust("A-1", 1000)
            with pytest.raises(Declined):
                adjust("A-1", -1001)
            assert products.get("A-1").stock == 1005
        with agreeing():
            adjust("A-1", -1001)

        assert asked == [
            "Change the stock of A-1 by -1,001 units? An assistant may change it by up to 1,000 units without asking."
        ]
        assert products.get("A-1").stock == 4


def test_another_tenants_stock_does_not_move(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        create("ONLY-ACMES", units=3)

    with tenant_context(globex.id):
        with pytest.raises(ProductNotFound):
            adjust("ONLY-ACMES", 1)
        adjust("A-1", 1)

    with tenant_context(acme.id):
        assert products.get("ONLY-ACMES").stock == 3
        assert products.get("A-1").stock == 5


def test_sixteen_at_once_take_no_more_than_there_is(acme: World) -> None:
    """Half of them by adjustments, half as sales do it: several products at once."""
    with tenant_context(acme.id):
        create("LAST", units=10)

    def take(number: int) -> bool:
        try:
            return adjusted() if number % 2 else sold()
        except OutOfStock:
            return False

    def adjusted() -> bool:
        return bool(adjust("LAST", -1))

    def sold() -> bool:
        goods = list(Product.objects.all())
        units = {product: -1 if product.sku == "LAST" else 1 for product in goods}
        return bool(stock.move(units, reason=MovementReason.SALE, actor="lin"))

    taken = together(acme.id, take)

    with tenant_context(acme.id):
        afters = StockMovement.objects.filter(product__sku="LAST").values_list("stock_after", flat=True)
        assert taken.count(True) == 10
        assert products.get("LAST").stock == ledger("LAST") == 0
        assert sorted(afters) == list(range(11))
