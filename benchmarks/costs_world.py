"""The tenants whose calls are counted: as many rows of each kind as a page of a list has, and an empty one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import django

django.setup()

from django.utils import timezone  # noqa: E402  (needs Django's models, as do those below)

from benchmarks.counting import Door  # noqa: E402
from core.asgi import application  # noqa: E402
from core.models import Customer, Order, OrderItem, OrderStatus, Product, TenantSettings, TenantUser  # noqa: E402
from core.scopes import Scope  # noqa: E402
from core.services import product_changes, tenants  # noqa: E402
from mcp_server.tokens import tokens  # noqa: E402
from rls import platform_context, tenant_context  # noqa: E402

SLUG, TRIAL = "costs", "trial"
ROWS = 25  # more than a page


def make() -> tuple[Door, str, Mapping[str, str]]:
    """The application, the slug of the tenant, and the tokens by slug; "platform" is that of the platform."""
    with platform_context(actor="benchmarks", reason="arrange"):
        made = {slug: tenants.create(subdomain=slug, name=slug.title(), locale="en") for slug in (SLUG, TRIAL)}
        keys = {slug: tokens.create(name=slug, slug=slug, scopes=Scope) for slug in made}
        keys["platform"] = tokens.create(name="platform", slug=None)
    with tenant_context(made[SLUG].id):
        _fill()
    return Door(application), SLUG, keys


def _fill() -> None:
    TenantSettings.objects.update(currency="EUR", time_zone="Europe/Berlin")
    for number in range(ROWS):
        TenantUser.objects.create(username=f"user-{number}", email=f"user-{number}@x.example")
        product_changes.create(
            sku=f"SKU-{number}",
            name=f"Thing {number}",
            price=Decimal("19.99"),
            actor="benchmarks",
            category="Things",
            opening_stock=500,
        )
    user, products = TenantUser.objects.first(), list(Product.objects.order_by("sku")[:3])
    customer = Customer.objects.create(name="Wile E.", email="wile@x.example")
    for number in range(1, ROWS + 1):
        order = Order.objects.create(
            number=number,
            placed_by=user,
            customer=customer,
            status=OrderStatus.PAID,
            currency="EUR",
            total_minor=5997,
            placed_at=timezone.now(),
        )
        for product in products:
            OrderItem.objects.create(order=order, product=product, quantity=1, price_minor=1999, currency="EUR")
