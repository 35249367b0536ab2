"""Figures over all tenants. All of it is platform work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.models import Order, Product, Tenant, TenantUser
from core.services import counts

MAX_TENANTS = 20


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
    """Counts over all tenants, as of `as_of`; `largest` has the MAX_TENANTS tenants with the most orders, in order."""

    active: int
    suspended: int
    users: int
    products: int
    orders: int
    largest: list[TenantFigures]
    as_of: datetime


def get() -> PlatformFigures:
    """The figures as they are now, in two statements."""
    now = timezone.now()
    totals = counts.of(
        {
            "active": Tenant.objects.filter(is_active=True),
            "suspended": Tenant.objects.filter(is_active=False),
            "users": TenantUser.objects.all(),
            "products": Product.objects.all(),
            "orders": Order.objects.all(),
        }
    )
    return PlatformFigures(**totals, largest=[_figures(tenant) for tenant in _largest()], as_of=now)


def _largest() -> QuerySet[Any]:
    return Tenant.objects.annotate(
        user_count=_number_of(TenantUser), product_count=_number_of(Product), order_count=_number_of(Order)
    ).order_by("-order_count", "subdomain")[:MAX_TENANTS]


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
