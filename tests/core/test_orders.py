"""Orders: listed in pages, and seen in full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

import rls
from core.models import Order, OrderStatus
from core.periods import UnknownPeriod
from core.services import drafts, orders
from core.services.drafts import Wanted
from core.services.orders import OrderNotFound
from mcp_server.pages import InvalidCursor
from tests.support.world import World


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def busy(acme: World) -> World:
    """Orders 2 to 7 are drafts, in turn of a walk-in customer and of Bip."""
    with rls.tenant_context(acme.id):
        for index in range(6):
            person = {"customer_email": "bip@acme.example", "customer_name": "Bip"} if index % 2 else {}
            drafts.create(items=[Wanted("A-1", index + 1)], **person)
    return acme


def numbers(**choices: Any) -> list[int]:
    facts: dict[str, Any] = {"limit": 100, "cursor": None} | choices
    return [row.order.number for row in orders.page(**facts).rows]


def test_orders_are_listed_newest_first(busy: World) -> None:
    with rls.tenant_context(busy.id):
        assert numbers() == [7, 6, 5, 4, 3, 2, 1]
        assert list(orders.find().values_list("number", flat=True)) == [7, 6, 5, 4, 3, 2, 1]


def test_a_page_ends_where_the_next_begins(busy: World) -> None:
    with rls.tenant_context(busy.id):
        first = orders.page(limit=4, cursor=None)
        second = orders.page(limit=4, cursor=first.cursor)

        assert [row.order.number for row in first.rows + second.rows] == [7, 6, 5, 4, 3, 2, 1]
        assert (first.cursor is None, second.cursor) == (False, None)


@pytest.mark.parametrize(
    ("choices", "found"),
    [
        ({"status": OrderStatus.PAID}, [1]),
        ({"status": OrderStatus.SHIPPED}, []),
        ({"customer_email": "BIP@acme.example "}, [7, 5, 3]),
        ({"customer_email": "nobody@acme.example"}, []),
        ({"customer_email": "bip@acme.example", "status": OrderStatus.DRAFT}, [7, 5, 3]),
        ({"period": "today"}, [7, 6, 5, 4, 3, 2, 1]),
        ({"period": "1999"}, []),
    ],
)
def test_orders_are_found_by_status_customer_and_period(choices: dict[str, Any], found: list[int], busy: World) -> None:
    with rls.tenant_context(busy.id):
        assert numbers(**choices) == found


def test_a_row_says_how_much_is_in_it(busy: World) -> None:
    with rls.tenant_context(busy.id):
        Order.objects.create(number=8)

        rows = {row.order.number: (row.lines, row.units) for row in orders.page(limit=100, cursor=None).rows}

        assert (rows[1], rows[7], rows[8]) == ((1, 2), (1, 6), (0, 0))


def test_a_page_is_one_statement_however_long(busy: World) -> None:
    with rls.tenant_context(busy.id), CaptureQueriesContext(connection) as statements:
        page = orders.page(
            status=OrderStatus.DRAFT, customer_email="bip@acme.example", period="today", limit=100, cursor=None
        )
        people = [row.order.customer.name for row in page.rows if row.order.customer]

    assert (people, len(statements)) == (["Bip"] * 3, 1)


def test_a_cursor_is_good_for_its_own_list_alone(busy: World, globex: World) -> None:
    with rls.tenant_context(busy.id):
        cursor = orders.page(limit=2, cursor=None).cursor

        for choices in ({"status": OrderStatus.DRAFT}, {"customer_email": "bip@acme.example"}, {"period": "today"}):
            with pytest.raises(InvalidCursor):
                numbers(cursor=cursor, **choices)

    with rls.tenant_context(globex.id), pytest.raises(InvalidCursor):
        numbers(cursor=cursor)


def test_an_unknown_period_is_refused(acme: World) -> None:
    with rls.tenant_context(acme.id), pytest.raises(UnknownPeriod):
        numbers(period="soon")


def test_an_order_is_seen_with_its_lines_and_its_money(acme: World) -> None:
    with rls.tenant_context(acme.id), CaptureQueriesContext(connection) as statements:
        found = orders.get(1)
        lines = [(item.product.sku, item.quantity) for item in found.items]

        assert found.order.customer is not None
        assert (found.order.customer.name, lines) == ("Wile E.", [("A-1", 2)])
        assert [payment.amount_minor for payment in found.payments] == [3998]
        assert orders.next_statuses(found.order) == [OrderStatus.SHIPPED, OrderStatus.CANCELLED]
        assert len(statements) == 2


def test_an_order_of_another_tenant_is_an_unknown_order(busy: World, globex: World) -> None:
    with rls.tenant_context(globex.id):
        with pytest.raises(OrderNotFound, match="There is no order 7"):
            orders.get(7)
        with pytest.raises(OrderNotFound, match="There is no order 99"):
            orders.get(99)

        assert numbers() == [1]
        assert numbers(customer_email="bip@acme.example") == []
