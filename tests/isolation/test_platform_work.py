"""Case 25: platform work. What its context needs and writes is in tests/rls/test_platform.py, which roles the serving
role can't become in test_hostile_sql.py; here no request of a tenant begins it."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path

from core.middleware import requires
from core.models import Product
from core.scopes import Scope
from rls import platform_context
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World


@requires(Scope.PRODUCTS_READ)
def show_all(request: HttpRequest, tenant: str) -> HttpResponse:
    """A view that works across tenants where it may not."""
    with platform_context(actor="shop", reason="inside a request"):
        return HttpResponse(", ".join(Product.objects.values_list("name", flat=True)))


urlpatterns = [path("t/<str:tenant>/all", show_all)]


def opened_by_the_shop(admin: psycopg.Connection) -> list[tuple[object, ...]]:
    return admin.execute("SELECT reason FROM app.platform_audit WHERE actor = 'shop'").fetchall()


@pytest.mark.urls(__name__)
def test_a_view_of_a_tenant_does_not_begin_platform_work(acme: World, globex: World, admin: psycopg.Connection) -> None:
    headers = {"Authorization": f"Bearer {acme.token}"}

    plain = Client(raise_request_exception=False).get("/t/acme/all", headers=headers)
    awaited = asyncio.run(AsyncClient(raise_request_exception=False).get("/t/acme/all", headers=headers))

    for answer in (plain, awaited):
        assert answer.status_code == 500
        assert "Globex" not in answer.content.decode()
    assert opened_by_the_shop(admin) == []


@pytest.mark.parametrize("era", ERAS)
def test_a_tool_of_a_tenant_does_not_begin_platform_work(
    era: Era, server: Process, acme: World, globex: World, admin: psycopg.Connection
) -> None:
    async def story() -> object:
        async with connected(server.mcp("acme"), acme.token, era) as client:
            return await client.call_tool("shop_all", {})

    result = asyncio.run(story())

    assert result.is_error
    assert "Globex" not in result.content[0].text
    assert opened_by_the_shop(admin) == []
