"""Two tenants to test with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import UUID

from core.models import Order, OrderItem, Product, TenantUser
from core.services import tenants, tokens
from rls import platform_context, tenant_context


@dataclass(frozen=True, slots=True)
class World:
    """A tenant, the ids of its rows, and a token for it."""

    id: UUID
    subdomain: str
    name: str
    token: str
    user_id: UUID
    product_id: UUID
    order_id: UUID
    item_id: UUID


def make_tenant(subdomain: str, name: str, *, locale: str = "en") -> World:
    """A committed tenant with one user, product, order and line; only the names differ between tenants."""
    with working():
        tenant = tenants.create(subdomain=subdomain, name=name, locale=locale)
        token = tokens.create(name=f"{subdomain} token", subdomain=subdomain)
    with tenant_context(tenant.id):
        user = TenantUser.objects.create(username="ada", email=f"ada@{subdomain}.example")
        product = Product.objects.create(sku="A-1", name=f"{name} anvil", price_minor=1999, currency="EUR", stock=5)
        order = Order.objects.create(number=1, placed_by=user)
        item = OrderItem.objects.create(order=order, product=product, quantity=2, price_minor=1999, currency="EUR")
    return World(tenant.id, subdomain, name, token, user.id, product.id, order.id, item.id)


def working() -> AbstractContextManager[None]:
    """A platform context for arranging."""
    return platform_context(actor="tests", reason="arrange")


def platform_token() -> str:
    """A token for `/mcp/`."""
    with working():
        return tokens.create(name="platform token", subdomain=None)
