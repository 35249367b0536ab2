"""Figures over all tenants. All of it is platform work, and costs the same however many tenants there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import Count, Model, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.models import Order, Product, Tenant, TenantUser
from core.models.tenants import SUSPENDED_INDEX
from core.services import estimates
from core.services.estimates import MAX_COUNTED_ROWS, Estimate
from rls.context import PLATFORM_ALIAS

MAX_TENANTS = 20

# The tenants with the most of the newest orders, and as many others, for where few have any. An order's id says its
# age (see rls.models.UUID7).
CANDIDATES = """
(SELECT tenant_id
 FROM (SELECT tenant_id FROM core_order ORDER BY id DESC LIMIT %(rows)s) AS newest
 GROUP BY tenant_id
 ORDER BY count(*) DESC, tenant_id
 LIMIT %(tenants)s)
UNION
(SELECT id FROM core_tenant ORDER BY subdomain LIMIT %(tenants)s)
"""


@dataclass(frozen=True, slots=True)
class TenantFigures:
    """Counts of one tenant."""

    subdomain: str
    name: str
    is_active: bool
    users: int
    products: int
    orders: int


@dataclass(frozen=True, slots=True)
class PlatformFigures:
    """Counts over all tenants, as of `as_of`; `largest` has the MAX_TENANTS tenants with the most orders, in order.

    Where the orders are estimated, it has those with the most of the newest MAX_COUNTED_ROWS orders.
    """

    active: Estimate
    suspended: Estimate
    users: Estimate
    products: Estimate
    orders: Estimate
    largest: list[TenantFigures]
    as_of: datetime


def get() -> PlatformFigures:
    """The figures as they are now, in three statements."""
    now = timezone.now()
    tenants, suspended, users, products, orders = estimates.of(
        {
            Tenant._meta.db_table: Tenant.objects.all(),
            SUSPENDED_INDEX: Tenant.objects.filter(is_active=False),
            **{model._meta.db_table: model._default_manager.all() for model in (TenantUser, Product, Order)},
        },
        using=PLATFORM_ALIAS,
    )
    return PlatformFigures(
        active=Estimate(max(tenants.rows - suspended.rows, 0), tenants.is_exact and suspended.is_exact),
        suspended=suspended,
        users=users,
        products=products,
        orders=orders,
        largest=_largest(),
        as_of=now,
    )


def _largest() -> list[TenantFigures]:
    tenants = Tenant.objects.filter(id__in=_candidates()).annotate(
        user_count=_number_of(TenantUser), product_count=_number_of(Product), order_count=_number_of(Order)
    )
    found = sorted(tenants, key=lambda tenant: (-tenant.order_count, tenant.subdomain))
    return [_figures(tenant) for tenant in found[:MAX_TENANTS]]


def _candidates() -> list[UUID]:
    with connections[PLATFORM_ALIAS].cursor() as cursor:
        cursor.execute(CANDIDATES, {"rows": MAX_COUNTED_ROWS, "tenants": MAX_TENANTS})
        return [tenant_id for (tenant_id,) in cursor.fetchall()]


def _number_of(model: type[Model]) -> Coalesce:
    rows = model._default_manager.filter(tenant=OuterRef("pk")).order_by().values("tenant")
    return Coalesce(Subquery(rows.annotate(rows=Count("pk")).values("rows")), 0)


def _figures(tenant: Any) -> TenantFigures:
    return TenantFigures(
        subdomain=tenant.subdomain,
        name=tenant.name,
        is_active=tenant.is_active,
        users=tenant.user_count,
        products=tenant.product_count,
        orders=tenant.order_count,
    )
