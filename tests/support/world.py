"""Two tenants to test with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
from django.contrib.auth.models import User
from django.utils import timezone

from core.models import (
    Customer,
    Export,
    ExportPart,
    Membership,
    Order,
    OrderItem,
    OrderStatus,
    Payment,
    Product,
    ProductTerm,
    StockMovement,
    TenantSettings,
    TenantUser,
)
from core.roles import Role
from core.scopes import Scope
from core.services import tenants
from mcp_server.ledger.models import AuditEvent, CallRecord, IdempotencyKey, State
from mcp_server.tokens import resolver, tokens
from rls import platform_context, tenant_context
from rls.testing.rows import Rows


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
    """A committed tenant with a row of every model; only the names differ between tenants."""
    with working():
        tenant = tenants.create(subdomain=subdomain, name=name, locale=locale)
        token = tokens.create(name=f"{subdomain} token", slug=subdomain, scopes=Scope)
        # A user belongs to no tenant, and stays when one goes.
        Membership.objects.create(tenant=tenant, user=User.objects.create_user(str(uuid4())), role=Role.STAFF)
    with tenant_context(tenant.id):
        TenantSettings.objects.update(currency="EUR", time_zone="UTC")
        user = TenantUser.objects.create(username="ada", email=f"ada@{subdomain}.example")
        customer = Customer.objects.create(name="Wile E.", email=f"wile@{subdomain}.example")
        product = Product.objects.create(sku="A-1", name=f"{name} anvil", price_minor=1999, currency="EUR", stock=5)
        ProductTerm.objects.create(product=product, term="anvil")
        order = Order.objects.create(
            number=1,
            placed_by=user,
            customer=customer,
            status=OrderStatus.PAID,
            currency="EUR",
            total_minor=3998,
            placed_at=timezone.now(),
        )
        item = OrderItem.objects.create(order=order, product=product, quantity=2, price_minor=1999, currency="EUR")
        who = {"actor": f"{subdomain} token"}
        StockMovement.objects.create(product=product, quantity=7, stock_after=7, reason="opening", **who)
        StockMovement.objects.create(product=product, order=order, quantity=-2, stock_after=5, reason="sale", **who)
        Payment.objects.create(order=order, kind="payment", method="card", amount_minor=3998, currency="EUR", **who)
        AuditEvent.objects.create(action="create_order", subject="order 1", **who)
        CallRecord.objects.create(kind="tool", action="get_order", outcome="ok", duration_ms=1.5, **who)
        IdempotencyKey.objects.create(key="first", action="create_order", digest=b"0" * 32)
        State.objects.create(handle="h" * 32, owner="o", value="1", expires_at=timezone.now() + timedelta(days=1))
        export = Export.objects.create(format="json", expires_at=timezone.now() + timedelta(days=1), **who)
        ExportPart.objects.create(export=export, number=1, content=subdomain.encode())
    return World(tenant.id, subdomain, name, token, user.id, product.id, order.id, item.id)


class Saved:
    """Tenants that were made once: whoever asks for one gets a copy of its rows."""

    def __init__(self, admin: psycopg.Connection) -> None:
        """`admin` is a superuser in autocommit, on the rows that the migrations left."""
        self._admin = admin
        self._rows = Rows(admin)
        self._made: dict[str, tuple[World, bytes]] = {}

    def make(self, subdomain: str, name: str) -> None:
        """Make a tenant, keep its rows, and leave the database as it was."""
        world = make_tenant(subdomain, name)
        self._made[subdomain] = world, self._rows.written()
        self._rows.restore()

    def put(self, subdomain: str) -> World:
        """Write the rows of a tenant, with a token that no test had before: a server may know whose that one was."""
        world, statements = self._made[subdomain]
        self._rows.run(statements)
        token = resolver.new_token(resolver.TENANT_PREFIX)
        self._admin.execute(
            "UPDATE mcp_tokens_apitoken SET digest = %s WHERE tenant_id = %s", [resolver.digest(token), world.id]
        )
        return replace(world, token=token)

    def clear(self) -> None:
        """Take away whatever was written."""
        self._rows.restore()


def working() -> AbstractContextManager[None]:
    """A platform context for arranging."""
    return platform_context(actor="tests", reason="arrange")


def platform_token() -> str:
    """A token for `/mcp/`."""
    with working():
        return tokens.create(name="platform token", slug=None)
