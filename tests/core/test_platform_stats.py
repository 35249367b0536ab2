"""Figures over all tenants."""

from __future__ import annotations

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from core.services import demo, platform_stats, tenants
from core.services.estimates import Estimate
from core.services.platform_stats import TenantFigures
from rls import tenant_context
from tests.support.world import World, working

pytestmark = pytest.mark.django_db


def exactly(rows: int) -> Estimate:
    return Estimate(rows, is_exact=True)


def test_the_figures_are_those_of_all_tenants(acme: World, globex: World) -> None:
    with working():
        tenants.create(subdomain="empty", name="Empty")
        tenants.set_active("globex", active=False)
    with tenant_context(acme.id):
        demo.create(orders=4)

    with working(), CaptureQueriesContext(connections["platform"]) as queries:
        figures = platform_stats.get()

    assert len(queries) == 3
    assert (figures.active, figures.suspended) == (exactly(2), exactly(1))
    assert (figures.users, figures.products, figures.orders) == (exactly(5), exactly(10), exactly(6))
    assert figures.largest == [
        TenantFigures("acme", "Acme", is_active=True, users=4, products=9, orders=5),
        TenantFigures("globex", "Globex", is_active=False, users=1, products=1, orders=1),
        TenantFigures("empty", "Empty", is_active=True, users=0, products=0, orders=0),
    ]


@pytest.mark.django_db
def test_an_installation_without_tenants_has_figures() -> None:
    with working():
        figures = platform_stats.get()

    assert (figures.active, figures.orders, figures.largest) == (exactly(0), exactly(0), [])
