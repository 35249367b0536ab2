"""What stands out, computed by hand; another tenant's sales never count."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

import rls
from core import periods
from core.models import Customer, Order, OrderStatus, Product
from core.services import insights, sellers
from core.services.anomalies import UnusualDay, UnusualOrder
from core.services.insights import Buyers, Figure, Insights, RefundRate
from core.services.sellers import Seller, StoppedSeller
from tests.support.selling import pay, product, sell
from tests.support.world import World


def find(text: str = "2026-03", limit: int = 5) -> Insights:
    return insights.find(periods.parse(text), limit=limit)


@pytest.fixture
def others(acme: World, globex: World) -> World:
    """Globex sells the same skus, and far more."""
    with rls.tenant_context(globex.id):
        for sku in ("CUP", "POT"):
            for day in range(1, 29):
                sell(product(f"{sku}-{day}"), 100, f"2026-03-{day:02}")
    return acme


def test_best_sellers_by_units_then_by_revenue(others: World) -> None:
    with rls.tenant_context(others.id):
        cup, pot, mug = product("CUP"), product("POT"), product("MUG")
        sell(cup, 2, "2026-03-01")
        sell(cup, 1, "2026-03-05")
        sell(pot, 5, "2026-03-07")
        sell(mug, 9, "2026-03-07", status=OrderStatus.CANCELLED)
        sell(mug, 9, "2026-02-07")

        found = find().best_sellers.value

    assert found == [Seller("POT", "pot", 5, 5000, 10), Seller("CUP", "cup", 3, 3000, 10)]


def test_worst_sellers_are_those_that_did_not_sell_and_then_those_that_sold_least(others: World) -> None:
    with rls.tenant_context(others.id):
        few, many = product("FEW", stock=5, reorder_level=4), product("MANY", stock=90)
        product("GONE", stock=0)
        product("OFF", is_active=False)
        product("NEW", created_at=datetime.fromisoformat("2026-03-15T00:00Z"))
        sell(product("CUP"), 2, "2026-03-01")
        sell(product("POT"), 1, "2026-03-01")

        found = find().worst_sellers.value

    assert [each.sku for each in found] == [many.sku, few.sku, "POT", "CUP"]
    assert found[0] == Seller("MANY", "many", 0, 0, 90)


def test_stock_that_runs_out_at_the_rate_of_the_period(others: World) -> None:
    with rls.tenant_context(others.id):
        sell(product("CUP", stock=10), 31, "2026-03-01")
        sell(product("POT", stock=0), 62, "2026-03-01")
        sell(product("SLOW", stock=366), 31, "2026-03-01")
        sell(product("OFF", stock=1, is_active=False), 31, "2026-03-01")

        figure = find().stock_outs

    today = timezone.localtime(figure.as_of).date()
    assert [(each.sku, each.units_per_day, each.days_left, each.expected_on) for each in figure.value] == [
        ("POT", 2.0, 0.0, today),
        ("CUP", 1.0, 10.0, today + timedelta(days=10)),
    ]


def test_the_rate_is_of_the_days_that_lie_behind() -> None:
    with timezone.override("Asia/Taipei"):
        period = periods.parse("2026-03")
        on_the_tenth = datetime.fromisoformat("2026-03-10T12:00+08:00")

        assert sellers.elapsed_days(period, on_the_tenth) == 9.5
        assert sellers.elapsed_days(period, on_the_tenth + timedelta(days=100)) == 31
        assert sellers.elapsed_days(period, on_the_tenth - timedelta(days=100)) == 1


def test_a_customer_is_new_once(others: World) -> None:
    with rls.tenant_context(others.id):
        cup = product("CUP")
        known, new, gone, never = (Customer.objects.create(email=f"{n}@x.example", name=n) for n in "abcd")
        sell(cup, 1, "2025-03-01", customer=known)
        sell(cup, 1, "2026-02-01", customer=gone)
        for customer in (known, known, new, new, None):
            sell(cup, 1, "2026-03-05", customer=customer)
        sell(cup, 1, "2026-02-01", customer=new, status=OrderStatus.CANCELLED)
        sell(cup, 1, "2026-03-01", customer=never, status=OrderStatus.CANCELLED)

        found = find().customers.value

    assert found == Buyers(new=1, returning=1)


def test_days_far_from_the_median_are_unusual(others: World) -> None:
    with rls.tenant_context(others.id):
        cup = product("CUP")
        # The median is 7; of the distances 2, 0, 2, 1, 0, 1 and 43 it is 1, and so the fence 4.4 away.
        for day, units in enumerate((5, 7, 5, 6, 7, 8, 50), start=1):
            sell(cup, units, f"2026-03-{day:02}")

        week = find("2026-03-01..2026-03-07").unusual_days.value
        too_few = find("2026-03-02..2026-03-07").unusual_days.value

    assert week == [UnusualDay(datetime(2026, 3, 7).date(), 50000, 7000)]
    assert too_few == []


def test_a_day_without_sales_can_be_unusual(others: World) -> None:
    with rls.tenant_context(others.id):
        cup = product("CUP")
        for day, units in enumerate((20, 22, 20, 21, 22, 23), start=1):
            sell(cup, units, f"2026-03-{day:02}")

        found = find("2026-03-01..2026-03-07").unusual_days.value

    assert [(each.day.day, each.revenue_minor) for each in found] == [(7, 0)]


def test_orders_far_above_the_upper_quartile_are_unusual(others: World) -> None:
    with rls.tenant_context(others.id):
        cup = product("CUP")
        # Quartiles 2 and 4: the fence is at 10.
        orders = [sell(cup, units, "2026-03-05") for units in (1, 2, 2, 3, 3, 4, 10, 11)]

        found = find().unusual_orders.value
        Order.objects.filter(id=orders[0].id).update(status=OrderStatus.CANCELLED)
        too_few = find().unusual_orders.value

    assert found == [UnusualOrder(orders[-1].number, 11000, 4000)]
    assert too_few == []


def test_a_product_that_stopped_selling(others: World) -> None:
    with rls.tenant_context(others.id):
        cup, pot, off, on = product("CUP"), product("POT"), product("OFF", is_active=False), product("ON")
        for _ in range(6):
            for each in (cup, off, on):
                sell(each, 2, "2026-02-05")
        sell(pot, 50, "2026-02-05")
        sell(on, 1, "2026-03-05")

        found = find().stopped_sellers.value

    assert found == [StoppedSeller("CUP", "cup", 10, 6, 12)]


def test_the_refund_rate_is_of_the_money_that_moved(others: World) -> None:
    with rls.tenant_context(others.id):
        order = sell(product("CUP"), 3, "2026-02-05")
        pay(order, 3000, "2026-03-01")
        pay(order, 1000, "2026-03-02", "refund")
        pay(order, 500, "2026-04-02", "refund")

        march, april, may = (find(text).refund_rate.value for text in ("2026-03", "2026-04", "2026-05"))

    assert march == RefundRate(33.3, 1000, 3000)
    assert april == RefundRate(None, 500, 0)
    assert may == RefundRate(None, 0, 0)


def test_each_figure_says_what_it_stands_on(acme: World) -> None:
    with rls.tenant_context(acme.id):
        with translation.override("en"):
            found = find("last_7_days")
        with translation.override("zh-hant"):
            in_chinese = find("last_7_days")

    for field in fields(Insights):
        figure = getattr(found, field.name)
        if field.name != "currency":
            assert isinstance(figure, Figure)
            assert figure.period.name == "last_7_days"
            assert figure.as_of == found.customers.as_of
            assert figure.method.endswith(".")
            assert getattr(in_chinese, field.name).method.endswith("。")


def test_the_lists_are_no_longer_than_the_limit(acme: World) -> None:
    with rls.tenant_context(acme.id):
        for number in range(4):
            sell(product(f"P-{number}", stock=1), 1, "2026-03-05")

        found = find(limit=2)

    assert [len(each.value) for each in (found.best_sellers, found.worst_sellers, found.stock_outs)] == [2, 2, 2]


def test_nothing_stands_out_where_nothing_is(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Product.objects.update(is_active=False)

        found = find("2020-01")

    lists = (found.best_sellers, found.worst_sellers, found.stock_outs, found.unusual_days, found.unusual_orders)
    assert [each.value for each in lists] == [[], [], [], [], []]
    assert found.customers.value == Buyers(0, 0)


def test_six_statements_are_the_most(others: World) -> None:
    with rls.tenant_context(others.id):
        cup = product("CUP")
        for day in range(1, 11):
            sell(cup, day, f"2026-03-{day:02}")

        with CaptureQueriesContext(connection) as statements:
            find()

    assert len(statements) == 6
