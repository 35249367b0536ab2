"""How much a tenant has of everything, and nothing of another's."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import rls
from core.models import Customer, OrderStatus, Product, TenantSettings, TenantUser
from core.services import overview, tenants
from core.services.overview import CategoryStats
from tests.support.selling import product, sell
from tests.support.world import World, working

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(acme: World, globex: World) -> World:
    """Beside the anvil: what is low, what is out, and what is not for sale."""
    with rls.tenant_context(acme.id):
        cup = product("CUP", category="cups", stock=3, reorder_level=3)
        product("MUG", category="cups", stock=0)
        product("POT", stock=7, price_minor=5, is_active=False)
        product("PAN", stock=0, is_active=False)
        sell(cup, 2, f"{timezone.now():%Y-%m-%dT%H:%M}", status=OrderStatus.DELIVERED)
        sell(cup, 4, "2020-02-01", status=OrderStatus.SHIPPED)
        sell(cup, 8, "2020-02-01", status=OrderStatus.CANCELLED)
        TenantUser.objects.create(username="bob", email="bob@acme.example")
    with rls.tenant_context(globex.id):
        product("CUP", category="cups", stock=100)
        Customer.objects.create(name="Another", email="another@globex.example")
    return acme


def test_products_in_figures(shop: World) -> None:
    with rls.tenant_context(shop.id), CaptureQueriesContext(connection) as statements:
        stats = overview.products()

    assert len(statements) == 2
    assert (stats.tenant, stats.currency) == ("Acme", "EUR")
    assert (stats.products, stats.active, stats.inactive) == (5, 3, 2)
    assert (stats.low_stock, stats.out_of_stock) == (2, 1)
    assert (stats.units, stats.stock_value_minor) == (5 + 3 + 7, 5 * 1999 + 3 * 1000 + 7 * 5)
    assert stats.categories == [CategoryStats("", 3, 1, 12), CategoryStats("cups", 2, 2, 3)]
    assert stats.more_categories == 0


def test_only_the_largest_categories_are_listed(acme: World) -> None:
    with rls.tenant_context(acme.id):
        for number in range(overview.MAX_CATEGORIES + 2):
            product(f"P-{number}", category=f"c-{number:02}")
        product("ONE-MORE", category="c-21")

        stats = overview.products()

    assert [each.category for each in stats.categories[:3]] == ["c-21", "", "c-00"]
    assert (len(stats.categories), stats.more_categories) == (20, 3)


def test_the_largest_stock_has_a_value(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Product.objects.update(price_minor=10**15, stock=2**31 - 1)

        stats = overview.products()

    assert stats.stock_value_minor == 10**15 * (2**31 - 1)


def test_everything_in_figures(shop: World) -> None:
    with rls.tenant_context(shop.id), CaptureQueriesContext(connection) as statements:
        stats = overview.everything()

    assert len(statements) == 2
    assert (stats.tenant, stats.currency) == ("Acme", "EUR")
    assert (stats.users, stats.products, stats.active_products, stats.customers) == (2, 5, 3, 1)
    assert stats.orders == 4
    assert stats.orders_by_status == {
        "draft": 0,
        "placed": 0,
        "paid": 1,
        "shipped": 1,
        "delivered": 1,
        "cancelled": 1,
    }
    assert (stats.revenue_minor, stats.revenue_this_month_minor) == (3998 + 2000 + 4000, 3998 + 2000)


@pytest.mark.django_db
def test_an_empty_tenant_has_zeros() -> None:
    with working():
        tenant = tenants.create(subdomain="empty", name="Empty")
        TenantSettings.objects.all().delete()

    with rls.tenant_context(tenant.id):
        goods, stats = overview.products(), overview.everything()

    assert (goods.products, goods.units, goods.stock_value_minor, goods.categories) == (0, 0, 0, [])
    assert (stats.users, stats.products, stats.customers, stats.orders, stats.revenue_minor) == (0, 0, 0, 0, 0)
    assert set(stats.orders_by_status.values()) == {0}
    assert goods.currency == stats.currency == "TWD"
