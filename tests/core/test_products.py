"""Products: found, made, changed; a sku is unique in its tenant, whoever makes it at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from core.models import Order, OrderItem, Product, StockMovement, TenantSettings
from core.services import product_changes, products
from core.services.field_changes import FieldChange
from core.services.product_changes import ProductInvalid, SkuTaken
from core.services.products import CategoryNotFound, ProductNotFound, StockLevel
from core.services.search import NothingToSearchFor
from mcp_server.pages import InvalidCursor
from rls import tenant_context
from tests.support.approvals import Declined, agreeing, declining
from tests.support.world import World

EVERYTHING: dict[str, Any] = {
    "search": "",
    "category": None,
    "is_active": None,
    "min_price": None,
    "max_price": None,
    "stock": StockLevel.ALL,
}


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def questions() -> Iterator[list[str]]:
    """What a person is asked in the test, and agrees to."""
    with agreeing() as asked:
        yield asked


@pytest.fixture
def declined() -> Iterator[list[str]]:
    """What a person is asked in the test, and says no to."""
    with declining() as asked:
        yield asked


def create(sku: str, **facts: Any) -> Product:
    return product_changes.create(**{"sku": sku, "name": f"Thing {sku}", "price": Decimal(5), "actor": "mei", **facts})


def skus(**filters: Any) -> list[str]:
    return [product.sku for product in products.page(limit=100, cursor=None, **{**EVERYTHING, **filters}).rows]


def test_a_new_product_has_the_currency_and_the_reorder_level_of_its_tenant(acme: World) -> None:
    with tenant_context(acme.id):
        product = create("B-1", category=" Tools ")

        assert (product.currency, product.reorder_level, product.category) == ("EUR", 5, "Tools")
        assert (product.stock, product.is_active) == (0, True)
        assert not StockMovement.objects.filter(product=product).exists()


def test_opening_stock_is_the_first_movement(acme: World) -> None:
    with tenant_context(acme.id):
        product = create("B-1", opening_stock=7)

        movement = StockMovement.objects.get(product=product)
        assert (movement.quantity, movement.stock_after, movement.reason, movement.actor) == (7, 7, "opening", "mei")
        assert products.get("B-1").stock == 7


def test_more_opening_stock_than_the_cap_is_asked_for(acme: World, declined: list[str]) -> None:
    with tenant_context(acme.id):
        create("B-1", opening_stock=1000)
        with pytest.raises(Declined):
            create("B-2", opening_stock=1001)

        assert declined == [
            "Change the stock of B-2 by 1,001 units? An assistant may change it by up to 1,000 units without asking."
        ]
        assert skus() == ["B-1", "A-1"]


def test_a_sku_is_taken_once_in_a_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        create("B-1")
        with pytest.raises(SkuTaken, match="A product with the sku 'B-1' exists already"):
            create("B-1")

        assert skus() == ["B-1", "A-1"]

    with tenant_context(globex.id):
        assert create("B-1").sku == "B-1"


def test_of_many_at_once_one_gets_the_sku(acme: World) -> None:
    callers = 8
    together = Barrier(callers)

    def call(number: int) -> str:
        try:
            with tenant_context(acme.id):
                together.wait(timeout=300)
                return create("B-1", name=f"Thing {number}", opening_stock=3).sku
        except SkuTaken:
            return "taken"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(callers) as threads:
        answers = sorted(threads.map(call, range(callers)))

    with tenant_context(acme.id):
        assert answers == ["B-1", *["taken"] * (callers - 1)]
        assert products.get("B-1").stock == 3
        assert StockMovement.objects.filter(product__sku="B-1").count() == 1


@pytest.mark.parametrize("sku", ["", " A", "A ", "A\tB", "A\nB", "x" * 65, "\u200b"])
def test_a_sku_is_short_and_printable(sku: str, acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(ProductInvalid, match="1 to 64 printable characters"):
            create(sku)


def test_an_unknown_sku_names_the_one_that_may_be_meant(acme: World) -> None:
    with tenant_context(acme.id):
        create("TEA-001", name="Oolong")
        create("TEA-022", name="Oolong")

        with pytest.raises(ProductNotFound) as typo:
            products.get("tea-001 ")
        with pytest.raises(ProductNotFound) as unknown:
            products.get("ZZZ-9")

        assert str(typo.value).startswith("There is no product 'tea-001 '. Did you mean 'TEA-001'?")
        assert str(unknown.value) == "There is no product 'ZZZ-9'. Call get_tenant_products to see the skus."


def test_another_tenants_product_is_an_unknown_one(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        create("SECRET-1", name="Rocket skates", category="Rockets")

    with tenant_context(globex.id):
        with pytest.raises(ProductNotFound, match=r"^There is no product 'SECRET-1'. Call get_tenant_products"):
            products.get("SECRET-1")
        with pytest.raises(CategoryNotFound) as error:
            skus(category="Rockets")
        found = skus(search="rocket")

    assert str(error.value) == (
        "There is no category 'Rockets'. The categories are: -. "
        "Call get_tenant_products with one of them, or without category."
    )
    assert found == []


def test_products_are_found_by_each_filter(acme: World) -> None:
    with tenant_context(acme.id):
        create("T-1", name="高山烏龍茶", category="茶", price=Decimal(1), opening_stock=2)
        create("T-2", name="紅茶", category="茶", price=Decimal(2), opening_stock=50)
        create("P-1", name="Tea pot", category="Pots", price=Decimal(3))
        product_changes.set_active("T-2", is_active=False)

        assert skus() == ["P-1", "T-2", "T-1", "A-1"]
        assert skus(search="烏龍") == ["T-1"]
        assert skus(search="tea p") == ["P-1"]
        assert skus(search="\u200b ") == ["P-1", "T-2", "T-1", "A-1"]
        assert skus(category="茶") == ["T-2", "T-1"]
        assert skus(is_active=False) == ["T-2"]
        assert skus(min_price=Decimal(2), max_price=Decimal("3.00")) == ["P-1", "T-2"]
        assert skus(stock=StockLevel.IN_STOCK) == ["T-2", "T-1", "A-1"]
        assert skus(stock=StockLevel.LOW) == ["P-1", "T-1"]
        assert skus(stock=StockLevel.OUT) == ["P-1"]


def test_a_product_is_found_by_what_is_glued_together_in_its_name_its_sku_and_its_category(
    acme: World, globex: World
) -> None:
    with tenant_context(globex.id):
        create("AB-12/3", name="手機殼iPhone15透明", category="เคสphone")

    with tenant_context(acme.id):
        create("AB-12/3", name="手機殼iPhone15透明", category="เคสphone")
        create("T-1", name="Café 烏龍")

        for query in (
            "iPhone",
            "iphone",
            "15",
            "iPhone15",
            "透明",
            "手機",
            "ｉＰｈｏｎｅ 透明",
            "ab12",
            "12",
            "ab-12/3",
            "phone",
        ):
            assert skus(search=query) == ["AB-12/3"], query
        assert skus(search="cafe\u0301烏龍") == skus(search="CAFE") == ["T-1"]
        assert skus(search="phones") == []


@pytest.mark.parametrize("query", ["!", "。、", "-\u200b"])
def test_a_search_for_signs_alone_says_so(query: str, acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(NothingToSearchFor, match=r"There is no letter or digit in .* to search for. Give the"):
            skus(search=query)
        with pytest.raises(ProductNotFound, match="There is no product"):
            products.get(query)


def test_an_unknown_category_names_those_there_are(acme: World) -> None:
    with tenant_context(acme.id):
        create("T-1", category="Tea")
        create("P-1", category="Pots")

        with pytest.raises(CategoryNotFound) as error:
            skus(category="Teas")

        assert "There is no category 'Teas'. The categories are: Pots, Tea. Call" in str(error.value)
        assert skus(category="Tea", is_active=False) == []


def test_a_list_is_one_statement_and_one_for_the_currency_of_its_prices(acme: World) -> None:
    with tenant_context(acme.id):
        create("T-1", category="Tea", opening_stock=50)
        asked = {"search": "thing t", "category": "Tea", "is_active": True, "stock": "in_stock"}

        with CaptureQueriesContext(connection) as statements:
            found = skus(**asked)
        with CaptureQueriesContext(connection) as with_currency:
            priced = skus(**asked, min_price=Decimal("0.01"))

        assert found == priced == ["T-1"]
        assert (len(statements), len(with_currency)) == (1, 2)


def test_a_cursor_is_good_for_its_list_its_filters_and_its_tenant(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        create("B-1")
        create("B-2")
        first = products.page(limit=2, cursor=None, **EVERYTHING)
        second = products.page(limit=2, cursor=first.cursor, **EVERYTHING)

        assert [product.sku for product in first.rows] == ["B-2", "B-1"]
        assert [product.sku for product in second.rows] == ["A-1"]
        assert (first.has_more, second.has_more) == (True, False)
        with pytest.raises(InvalidCursor):
            products.page(limit=2, cursor=first.cursor, **{**EVERYTHING, "is_active": True})

    with tenant_context(globex.id):
        with pytest.raises(InvalidCursor):
            products.page(limit=2, cursor=first.cursor, **EVERYTHING)


def test_a_change_says_what_was_before(acme: World) -> None:
    with tenant_context(acme.id):
        change = product_changes.update("A-1", name="Heavy anvil", description="", price=Decimal(25))

        assert change.changes == [
            FieldChange("name", "Acme anvil", "Heavy anvil"),
            FieldChange("price_minor", 1999, 2500),
        ]
        assert products.get("A-1").name == "Heavy anvil"
        assert skus(search="heavy") == ["A-1"]
        assert skus(search="acme") == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "one or more of: name, description, category, price, reorder_level."),
        ({"name": "  "}, "A product needs a name."),
    ],
)
def test_a_change_that_is_none_is_refused(facts: dict[str, Any], words: str, acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(ProductInvalid) as error:
            product_changes.update("A-1", **facts)

    assert words in str(error.value)


@pytest.mark.parametrize(("price_minor", "is_asked"), [(2998, False), (2999, True), (1000, False), (999, True)])
def test_a_price_that_changes_by_more_than_half_is_asked_for(
    price_minor: int, is_asked: bool, acme: World, questions: list[str]
) -> None:
    with tenant_context(acme.id):
        product_changes.update("A-1", price=Decimal(price_minor) / 100)

        assert bool(questions) is is_asked
        assert products.get("A-1").price_minor == price_minor


def test_a_declined_price_stays(acme: World, declined: list[str]) -> None:
    with tenant_context(acme.id):
        with pytest.raises(Declined):
            product_changes.update("A-1", name="Gold anvil", price=Decimal(1999))

        assert declined == [
            "Change the price of A-1 Acme anvil from €19.99 to €1,999.00? That is more than half of it."
        ]
        assert products.get("A-1").name == "Acme anvil"


def test_a_product_goes_off_sale_when_a_person_agrees(acme: World, questions: list[str]) -> None:
    with tenant_context(acme.id):
        draft = Order.objects.create(number=2, currency="EUR")
        OrderItem.objects.create(order=draft, product_id=acme.product_id, quantity=1, price_minor=1, currency="EUR")

        first = product_changes.set_active("A-1", is_active=False)
        again = product_changes.set_active("A-1", is_active=False)
        back = product_changes.set_active("A-1", is_active=True)

        assert questions == [
            "Take A-1 Acme anvil off sale? Draft orders that contain it, and can't be placed afterwards: 1."
        ]
        assert [len(change.changes) for change in (first, again, back)] == [1, 0, 1]
        assert products.get("A-1").is_active


def test_a_tenant_without_settings_has_the_defaults(acme: World, admin: Any) -> None:
    admin.execute("DELETE FROM core_tenantsettings")

    with tenant_context(acme.id):
        assert not TenantSettings.objects.exists()
        assert create("B-1").currency == "TWD"
