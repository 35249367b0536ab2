"""Case 29: cursors, export links and idempotency keys of one tenant are nothing in another's hands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.models import Export, ExportFormat, Order, Product
from core.services import exports, inventory, orders, products
from core.services.exports import ExportNotFound
from mcp_server.ledger import idempotency
from mcp_server.ledger.models import IdempotencyKey
from mcp_server.pages import InvalidCursor, Page
from rls import tenant_context
from tests.support.world import World

CALL = {"action": "create_order", "digest": b"1" * 32}


def of_products(cursor: str | None) -> Page[Any]:
    return products.page(limit=1, cursor=cursor)


def of_stock(cursor: str | None) -> Page[Any]:
    return inventory.page(limit=1, cursor=cursor)


def of_orders(cursor: str | None) -> Page[Any]:
    return orders.page(limit=1, cursor=cursor)


@pytest.mark.parametrize("listed", [of_products, of_stock, of_orders])
def test_a_cursor_is_refused_elsewhere(listed: Callable[[str | None], Page[Any]], acme: World, globex: World) -> None:
    for world in (acme, globex):
        with tenant_context(world.id):
            Product.objects.create(sku="A-2", name="Another", price_minor=1, currency="EUR")
            Order.objects.create(number=2, currency="EUR")
    with tenant_context(acme.id):
        cursor = listed(None).cursor
        assert len(listed(cursor).rows) == 1

    with tenant_context(globex.id), pytest.raises(InvalidCursor):
        listed(cursor)


def test_an_export_does_not_exist_elsewhere(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        exported = exports.create(format=ExportFormat.JSON, actor="acme token")
        handle = exports.handle(exported.export)
        assert exports.open(handle) == exported.export

    with tenant_context(globex.id):
        with pytest.raises(ExportNotFound) as stolen:
            exports.open(handle)
        with pytest.raises(ExportNotFound) as unknown:
            exports.open("nothing")

    assert str(stolen.value) == str(unknown.value)


def test_an_export_cannot_be_named_by_its_id(acme: World, globex: World) -> None:
    """A handle that globex signs for the id of acme's export: the signature is good, and there is no such row."""
    with tenant_context(acme.id):
        export = exports.create(format=ExportFormat.JSON, actor="acme token").export

    with tenant_context(globex.id), pytest.raises(ExportNotFound):
        exports.open(exports.handle(Export(id=export.id)))


def test_a_link_leads_nowhere_at_another_tenants_url(acme: World, globex: World, client: Client) -> None:
    with tenant_context(acme.id):
        handle = exports.handle(exports.create(format=ExportFormat.JSON, actor="acme token").export)

    own = client.head(f"/t/acme/exports/{handle}")
    stolen = client.get(f"/t/globex/exports/{handle}")
    unknown = client.get("/t/nobody/exports/nothing")

    assert own.status_code == 200
    assert (stolen.status_code, stolen.content) == (unknown.status_code, unknown.content)
    assert stolen.status_code == 404


def test_a_key_is_free_elsewhere(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        idempotency.claim("k", **CALL)
        idempotency.keep("k", {"number": 1})

    with tenant_context(globex.id):
        assert idempotency.find("k", **CALL) is None
        assert idempotency.claim("k", **CALL) is None
        idempotency.keep("k", {"number": 2})

    with tenant_context(acme.id):
        assert idempotency.find("k", **CALL) == {"number": 1}
        assert IdempotencyKey.objects.filter(key="k").count() == 1
