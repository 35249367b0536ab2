"""Sales in figures that were computed by hand; another tenant's never count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import rls
from core import periods
from core.models import Order, OrderItem, OrderStatus, Product, TenantSettings
from core.services import statistics, tenants
from core.services.statistics import Difference, GroupBy, SalesGroup, SalesTotals
from tests.support.selling import pay, product, sell
from tests.support.world import World, working

pytestmark = pytest.mark.django_db

MARCH = SalesTotals(
    orders=3,
    units=6,
    revenue_minor=5900,
    average_order_minor=1967,
    discount_minor=100,
    placed_orders=4,
    gross_minor=10900,
    cancelled_orders=1,
    cancelled_minor=5000,
    received_minor=2900,
    refunds=1,
    refunded_minor=500,
)


@pytest.fixture(autouse=True)
def taipei() -> Iterator[None]:
    with timezone.override("Asia/Taipei"):
        yield


@pytest.fixture
def shops(acme: World, globex: World) -> World:
    """Both tenants sell the same in March 2026; then globex goes on."""
    for world in (acme, globex):
        with rls.tenant_context(world.id):
            cup, pot = product("CUP", category="cups"), product("POT", category="pots", name="A pot")
            pay(sell(cup, 2, "2026-03-02", discount=100), 1900, "2026-03-02")
            pay(sell(pot, 1, "2026-03-02", status=OrderStatus.SHIPPED), 1000, "2026-03-03")
            sell(pot, 3, "2026-03-10T23:30", status=OrderStatus.PLACED)
            pay(sell(cup, 5, "2026-03-20", status=OrderStatus.CANCELLED), 500, "2026-03-21", "refund")
            sell(cup, 1, "2026-02-20")
            Order.objects.create(number=99, total_minor=7777)
    with rls.tenant_context(globex.id):
        sell(cup_of_globex := Product.objects.get(sku="CUP"), 50, "2026-03-02")
        sell(cup_of_globex, 50, "2026-02-02")
    return acme


def test_a_month_and_the_month_before(shops: World) -> None:
    with rls.tenant_context(shops.id):
        sales = statistics.sales(periods.parse("2026-03"))

    assert sales.totals == MARCH
    assert sales.previous == SalesTotals(
        orders=1, units=1, revenue_minor=1000, average_order_minor=1000, placed_orders=1, gross_minor=1000
    )
    assert (sales.currency, sales.is_over) == ("EUR", True)
    differences = sales.differences()
    assert differences["revenue_minor"] == Difference(4900, 490.0)
    assert differences["orders"] == Difference(2, 200.0)
    assert differences["refunded_minor"] == Difference(500, None)
    assert differences["discount_minor"].percent is None


def test_an_average_has_no_decimals_that_nobody_uses(shops: World) -> None:
    with rls.tenant_context(shops.id):
        TenantSettings.objects.update(currency="TWD")
        sales = statistics.sales(periods.parse("2026-03"))

    # 59 dollars of three orders are 19.67 each.
    assert sales.totals == replace(MARCH, average_order_minor=2000)


def test_without_a_comparison_the_period_before_is_not_read(shops: World) -> None:
    with rls.tenant_context(shops.id):
        sales = statistics.sales(periods.parse("2026-03"), compare=False)

    assert (sales.totals, sales.previous, sales.differences()) == (MARCH, None, {})


def test_an_order_late_in_utc_is_of_the_next_day_in_taipei(shops: World) -> None:
    with rls.tenant_context(shops.id):
        in_taipei = statistics.sales(periods.parse("2026-03"))
        with timezone.override("UTC"):
            in_utc = statistics.sales(periods.parse("2026-03"))

    assert [group.key for group in in_taipei.groups if group.orders] == ["2026-03-02", "2026-03-11"]
    assert [group.key for group in in_utc.groups if group.orders] == ["2026-03-02", "2026-03-10"]


def test_a_period_begins_and_ends_at_midnight_of_the_time_zone(acme: World) -> None:
    with rls.tenant_context(acme.id):
        cup = product("CUP")
        for at in ("2026-02-28T15:59", "2026-02-28T16:00", "2026-03-31T15:59", "2026-03-31T16:00"):
            sell(cup, 1, at)

        sales = statistics.sales(periods.parse("2026-03"))

    assert (sales.totals.orders, sales.previous and sales.previous.orders) == (2, 1)
    assert [group.key for group in sales.groups if group.orders] == ["2026-03-01", "2026-03-31"]


def test_a_day_without_a_sale_is_a_group(shops: World) -> None:
    with rls.tenant_context(shops.id):
        sales = statistics.sales(periods.parse("2026-03"))

    assert [group.key for group in sales.groups] == [f"2026-03-{day:02}" for day in range(1, 32)]
    assert sales.groups[0] == SalesGroup("2026-03-01", "", 0, 0, 0)
    assert sales.groups[1] == SalesGroup("2026-03-02", "", 2, 3, 2900)


def test_of_a_long_period_only_days_with_sales_are_groups(shops: World) -> None:
    with rls.tenant_context(shops.id):
        sales = statistics.sales(periods.parse("2025-12-01..2026-03-31"))

    assert [group.key for group in sales.groups] == ["2026-02-20", "2026-03-02", "2026-03-11"]


def test_days_to_come_are_no_groups(acme: World) -> None:
    with rls.tenant_context(acme.id):
        sales = statistics.sales(periods.parse("this_year"), group_by=GroupBy.MONTH)
        later = statistics.sales(periods.parse("2999-01"))

    assert not sales.is_over
    assert sales.groups[-1].key == f"{timezone.localtime(sales.as_of):%Y-%m}"
    assert later.groups == []


def test_weeks_are_iso_weeks_and_hold_only_days_of_the_period(shops: World) -> None:
    with rls.tenant_context(shops.id):
        sales = statistics.sales(periods.parse("2026-03"), group_by=GroupBy.WEEK)

    assert [(group.key, group.orders, group.units) for group in sales.groups] == [
        ("2026-W09", 0, 0),
        ("2026-W10", 2, 3),
        ("2026-W11", 1, 3),
        ("2026-W12", 0, 0),
        ("2026-W13", 0, 0),
        ("2026-W14", 0, 0),
    ]


def test_months_add_up_to_the_totals(shops: World) -> None:
    with rls.tenant_context(shops.id):
        sales = statistics.sales(periods.parse("2026"), group_by=GroupBy.MONTH)

    assert [group.revenue_minor for group in sales.groups][:4] == [0, 1000, 5900, 0]
    assert sum(group.revenue_minor for group in sales.groups) == sales.totals.revenue_minor


def test_products_and_categories_are_of_lines_and_by_revenue(shops: World) -> None:
    with rls.tenant_context(shops.id):
        by_product = statistics.sales(periods.parse("2026-03"), group_by=GroupBy.PRODUCT)
        by_category = statistics.sales(periods.parse("2026-03"), group_by=GroupBy.CATEGORY)

    assert by_product.groups == [SalesGroup("POT", "A pot", 2, 4, 4000), SalesGroup("CUP", "cup", 1, 2, 2000)]
    assert by_category.groups == [SalesGroup("pots", "", 2, 4, 4000), SalesGroup("cups", "", 1, 2, 2000)]
    assert by_product.totals == by_category.totals == MARCH
    assert not by_product.has_more


def test_the_limit_leaves_the_products_with_less_revenue_out(shops: World) -> None:
    with rls.tenant_context(shops.id):
        sales = statistics.sales(periods.parse("2026-03"), group_by=GroupBy.PRODUCT, limit=1)

    assert [group.key for group in sales.groups] == ["POT"]
    assert sales.has_more


@pytest.mark.parametrize("group_by", GroupBy)
def test_two_statements_are_the_most(group_by: GroupBy, shops: World) -> None:
    with rls.tenant_context(shops.id), CaptureQueriesContext(connection) as statements:
        statistics.sales(periods.parse("2026-03"), group_by=group_by)

    assert len(statements) == (1 if group_by in statistics.BY_TIME else 2)


@pytest.mark.parametrize("group_by", GroupBy)
@pytest.mark.django_db
def test_a_tenant_that_sold_nothing_has_zeros(group_by: GroupBy) -> None:
    with working():
        tenant = tenants.create(subdomain="empty", name="Empty")
        TenantSettings.objects.all().delete()

    with rls.tenant_context(tenant.id):
        sales = statistics.sales(periods.parse("2020-02"), group_by=group_by)

    assert sales.totals == sales.previous == SalesTotals()
    assert {group.orders for group in sales.groups} <= {0}
    assert sales.currency == "TWD"
    assert all(each == Difference(0, None) for each in sales.differences().values())


def test_the_largest_prices_and_quantities_add_up(acme: World) -> None:
    with rls.tenant_context(acme.id):
        order = sell(product("CUP"), 1, "2026-03-02")
        OrderItem.objects.filter(order=order).update(price_minor=10**15, quantity=2**31 - 1)
        Order.objects.filter(id=order.id).update(total_minor=2**63 - 1)
        sell(product("POT"), 1, "2026-03-02")

        sales = statistics.sales(periods.parse("2026-03"), group_by=GroupBy.CATEGORY)

    assert sales.groups[0].revenue_minor == 10**15 * (2**31 - 1) + 1000
    assert sales.totals.revenue_minor == 2**63 - 1 + 1000
