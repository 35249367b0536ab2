"""What happens later changes no month that is over, and its parts add up to the whole: tried with random stories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rls
from core import periods
from core.models import Customer, Order, Product, TenantSettings
from core.services import drafts, insights, orders, overview, product_changes, statistics, tenants
from core.services.drafts import Wanted
from core.services.statistics import Difference, GroupBy, SalesGroup, SalesTotals
from tests.support.selling import cancel, pay, product, sell
from tests.support.world import World, working

pytestmark = pytest.mark.slow

ZONES = ("Asia/Taipei", "America/Vancouver", "America/Santiago", "Asia/Kathmandu")
SKUS = ("CUP", "POT", "MUG")
SINCE = datetime(2025, 8, 28, tzinfo=UTC)
# They add up; an average does not.
SUMS = [field.name for field in fields(SalesTotals) if field.name != "average_order_minor"]
# Ways to cut the time of every story into pieces.
CUTS = (
    ["2025-08", "2025-09", "2025-10", "2025-11", "2025-12"],
    ["2025-08-01..2025-10-05", "2025-10-06", "2025-10-07..2025-12-31"],
    ["2025-08-01..2025-08-31", "2025-09-01..2025-12-31"],
)
WHOLE = "2025-08-01..2025-12-31"


@dataclass(frozen=True, slots=True)
class Story:
    """An order: what was ordered, and how many minutes after SINCE it was placed, paid and cancelled."""

    sku: str
    quantity: int
    customer: int | None
    placed: int
    paid: int | None
    cancelled: int | None


minutes = st.integers(0, 60 * 24 * 90)
stories = st.builds(
    lambda sku, quantity, customer, placed, paid, cancelled: Story(
        sku,
        quantity,
        customer,
        placed,
        placed + paid if paid is not None else None,
        placed + (paid or 0) + cancelled if cancelled is not None else None,
    ),
    st.sampled_from(SKUS),
    st.integers(1, 5),
    st.none() | st.integers(0, 2),
    minutes,
    st.none() | st.integers(0, 60 * 24 * 3),
    st.none() | st.integers(0, 60 * 24 * 40),
)


def at(minute: int) -> str:
    return f"{SINCE + timedelta(minutes=minute):%Y-%m-%dT%H:%M}"


def happen(told: Sequence[Story], until: int, done: dict[tuple[int, str], Order]) -> None:
    """Let each step of each story happen, in the order of time, up to a minute."""
    steps = sorted(
        (minute, number, step)
        for number, story in enumerate(told)
        for step, minute in (("1 placed", story.placed), ("2 paid", story.paid), ("3 cancelled", story.cancelled))
        if minute is not None and minute < until
    )
    for minute, number, step in steps:
        if (number, step) in done:
            continue
        story = told[number]
        if step == "1 placed":
            buyer = Customer.objects.filter(email=f"{story.customer}@x.example").first()
            goods = Product.objects.get(sku=story.sku)
            order = sell(goods, story.quantity, at(minute), customer=buyer)
        else:
            order = done[number, "1 placed"]
        if step == "2 paid":
            pay(order, order.total_minor, at(minute))
        if step == "3 cancelled":
            cancel(order, at(minute))
            if story.paid is not None:
                pay(order, order.total_minor, at(minute), "refund")
        done[number, step] = order


def report(name: str) -> dict[str, Any]:
    """Every figure of a period, but for what is of now: stock, and what it leads to."""
    period = periods.parse(name)
    found = insights.find(period, limit=20)
    groups = {each: statistics.sales(period, group_by=each).groups for each in GroupBy}
    return {
        "totals": statistics.sales(period).totals,
        "before": statistics.sales(period).previous,
        "groups": groups,
        "insights": [
            found.best_sellers.value,
            found.worst_sellers.value,
            found.customers.value,
            found.unusual_days.value,
            found.unusual_orders.value,
            found.stopped_sellers.value,
            found.refund_rate.value,
        ],
        "orders": {row.order.number for row in orders.page(period=name, limit=100, cursor=None).rows},
    }


def shop(zone: str) -> Any:
    with working():
        tenant = tenants.create(subdomain=f"t-{uuid4().hex[:12]}", name="A shop")
    with rls.tenant_context(tenant.id):
        TenantSettings.objects.update(currency="EUR", time_zone=zone)
        for sku in SKUS:
            product(sku, category=sku.lower())
        for number in range(3):
            Customer.objects.create(email=f"{number}@x.example", name=str(number))
    return tenant.id


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(stories, min_size=1, max_size=8), zone=st.sampled_from(ZONES))
def test_a_month_that_is_over_stays_and_the_months_add_up(told: list[Story], zone: str, acme: World) -> None:
    with timezone.override(zone), rls.tenant_context(shop(zone)):
        done: dict[tuple[int, str], Order] = {}
        closed = {}
        for month in CUTS[0]:
            end = periods.parse(month).end
            happen(told, int((end - SINCE).total_seconds()) // 60, done)
            closed[month] = report(month)

        later = {month: report(month) for month in CUTS[0]}
        for cut in CUTS:
            parts = [statistics.sales(periods.parse(name)).totals for name in cut]
            whole = statistics.sales(periods.parse(WHOLE)).totals
            for name in SUMS:
                assert sum(getattr(part, name) for part in parts) == getattr(whole, name), (cut, name)

        assert later == closed


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(stories, min_size=1, max_size=8), zone=st.sampled_from(ZONES))
def test_groups_are_what_the_day_alone_says(told: list[Story], zone: str, acme: World) -> None:
    with timezone.override(zone), rls.tenant_context(shop(zone)):
        happen(told, 10**9, {})

        sales = statistics.sales(periods.parse("2025-10-01..2025-11-15"))
        for group in sales.groups:
            of_the_day = statistics.sales(periods.parse(group.key)).totals
            listed = orders.page(period=group.key, limit=100, cursor=None).rows

            assert astuple(group)[2:] == (of_the_day.orders, of_the_day.units, of_the_day.revenue_minor)
            assert len(listed) == of_the_day.placed_orders
            assert all(str(timezone.localtime(row.order.placed_at).date()) == group.key for row in listed)


def test_a_draft_of_september_that_is_placed_in_october_is_an_order_of_october(acme: World) -> None:
    with rls.tenant_context(acme.id):
        order = sell(product("CUP"), 1, "2025-10-01T08:00")
        Order.objects.filter(id=order.id).update(created_at="2025-09-30T20:00Z")
        Order.objects.create(number=77, created_at="2025-09-30T21:00Z")

        september, october = (
            [row.order.number for row in orders.page(period=name, limit=9, cursor=None).rows]
            for name in ("2025-09", "2025-10")
        )

        assert statistics.sales(periods.parse("2025-10")).totals.placed_orders == 1

    assert (september, october) == ([77], [order.number])


def test_a_cancellation_in_november_is_of_november(acme: World) -> None:
    with rls.tenant_context(acme.id):
        cup = product("CUP", category="cups")
        order = sell(cup, 3, "2025-10-20")
        pay(order, 3000, "2025-10-20")
        sell(cup, 1, "2025-11-05")
        cancel(order, "2025-11-10")
        pay(order, 3000, "2025-11-10", "refund")

        october, november, after = (statistics.sales(periods.parse(name)) for name in ("2025-10", "2025-11", "2025-12"))
        by_product = statistics.sales(periods.parse("2025-11"), group_by=GroupBy.PRODUCT).groups

    assert november.differences()["revenue_minor"] == Difference(-5000, -166.7)
    assert after.differences()["revenue_minor"] == Difference(2000, None)
    assert (october.totals.gross_minor, october.totals.cancelled_minor, october.totals.revenue_minor) == (3000, 0, 3000)
    assert (october.totals.refunded_minor, october.totals.average_order_minor) == (0, 3000)
    assert (november.totals.gross_minor, november.totals.cancelled_minor) == (1000, 3000)
    assert (november.totals.revenue_minor, november.totals.refunded_minor) == (-2000, 3000)
    assert (november.totals.orders, november.totals.units, november.totals.average_order_minor) == (0, -2, 1000)
    assert [(each.key, each.revenue_minor) for each in november.groups if each.revenue_minor] == [
        ("2025-11-05", 1000),
        ("2025-11-10", -3000),
    ]
    assert [(each.key, each.orders, each.units, each.revenue_minor) for each in by_product] == [("CUP", 0, -2, -2000)]


def test_what_is_cancelled_this_month_is_taken_from_the_revenue_of_this_month(acme: World) -> None:
    with rls.tenant_context(acme.id):
        before = overview.everything()
        order = sell(product("CUP"), 2, "2020-01-05")
        with_it = overview.everything()
        cancel(order, f"{timezone.now():%Y-%m-%dT%H:%M}")
        without = overview.everything()

    assert with_it.revenue_minor - before.revenue_minor == 2000
    assert with_it.revenue_this_month_minor == before.revenue_this_month_minor
    assert (without.revenue_minor, without.revenue_this_month_minor) == (
        before.revenue_minor,
        before.revenue_this_month_minor - 2000,
    )


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("America/Vancouver", "2026-11-26T07:30", "2026-11-26"),
        ("America/Vancouver", "2026-11-26T06:30", "2026-11-25"),
        ("America/Santiago", "2025-09-07T03:59", "2025-09-06"),
        ("America/Santiago", "2025-09-07T04:00", "2025-09-07"),
        ("Asia/Kathmandu", "2025-09-07T18:14", "2025-09-07"),
        ("Asia/Kathmandu", "2025-09-07T18:15", "2025-09-08"),
        ("Pacific/Apia", "2011-12-30T09:59", "2011-12-29"),
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-31"),
    ],
)
def test_an_order_is_of_one_day_in_every_figure_and_list(zone: str, moment: str, day: str, acme: World) -> None:
    with timezone.override(zone), rls.tenant_context(acme.id):
        Order.objects.all().update(placed_at="2001-01-01T00:00Z")
        order = sell(product("CUP"), 1, moment)
        first = str(datetime.fromisoformat(day).date() - timedelta(days=3))

        around = statistics.sales(periods.parse(f"{first}..{day}"))
        alone = statistics.sales(periods.parse(day))
        listed = orders.page(period=day, limit=9, cursor=None).rows

    groups = {each.key: each.orders for each in around.groups}
    # Days that are still to come, seen from the clock of this machine, are groups where something is in them.
    assert {key: count for key, count in groups.items() if count} == {day: 1}
    assert [(each.key, each.orders) for each in alone.groups if each.orders] == [(day, 1)]
    assert [row.order.number for row in listed] == [order.number]


def test_a_day_that_a_zone_left_out_is_empty(acme: World) -> None:
    with timezone.override("Pacific/Apia"), rls.tenant_context(acme.id):
        sell(product("CUP"), 1, "2011-12-30T10:00")

        nothing = statistics.sales(periods.parse("2011-12-30"))
        week = statistics.sales(periods.parse("2011-12-26..2012-01-01"))

    assert (nothing.totals.orders, nothing.groups, nothing.period.days) == (0, [], 1)
    assert (str(nothing.period.first_day), str(nothing.period.last_day)) == ("2011-12-30", "2011-12-30")
    assert [each.key[-2:] for each in week.groups] == ["26", "27", "28", "29", "31", "01"]


def test_a_product_that_moves_takes_no_past_along(acme: World) -> None:
    with rls.tenant_context(acme.id), timezone.override("UTC"):
        cup = product("CUP", category="cups", stock=100)
        sell(cup, 2, "2025-10-05")
        before = report("2025-10")

        product_changes.update("CUP", category="gifts", name="Gift cup")
        kept = drafts.create(items=[Wanted("CUP", 3)]).order
        product_changes.update("CUP", category="sale")
        drafts.add_item(kept.number, Wanted("CUP", 1))
        sell(Product.objects.get(sku="CUP"), 5, "2025-11-05")
        october = statistics.sales(periods.parse("2025-10"), group_by=GroupBy.CATEGORY).groups
        november = statistics.sales(periods.parse("2025-11"), group_by=GroupBy.CATEGORY).groups

        assert october == before["groups"][GroupBy.CATEGORY] == [SalesGroup("cups", "", 1, 2, 2000)]
        assert november == [SalesGroup("sale", "", 1, 5, 5000)]
        assert [(line.category, line.quantity) for line in kept.items.all()] == [("gifts", 4)]
