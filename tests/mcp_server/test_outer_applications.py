"""Servers under a Starlette and a FastAPI application that was there before: over HTTP, by the official client."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from django.test import override_settings

from core.models import Product
from mcp_server.app import mounted
from mcp_server.tokens import tokens
from rls import tenant_context
from tests.support.processes import ERAS, Era, Process, connected, serving
from tests.support.world import World, working

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

OUTER = ["under_starlette", "under_fastapi"]
PATHS = {"first": "/v1/ai/mcp", "second": "/assist"}


@pytest.fixture(scope="module", params=OUTER)
def outer(
    request: pytest.FixtureRequest, django_db_setup: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """A process of each."""
    with serving(tmp_path_factory.mktemp("outer") / "log", app=f"tests.shop.{request.param}:app") as process:
        yield process


def token_of(world: World) -> str:
    with working():
        return tokens.create(name="outer", slug=world.subdomain, scopes=["names:read"])


def told(outer: Process, name: str, tenant: str, token: str, era: Era, *calls: tuple[str, dict[str, Any]]) -> Any:
    """The names of a server's tools, and what each call says."""

    async def story() -> tuple[list[str], list[str]]:
        async with connected(f"{outer.url}{PATHS[name]}/{tenant}/", token, era) as client:
            listed = [tool.name for tool in (await client.list_tools()).tools]
            return listed, [(await client.call_tool(*each)).content[0].text for each in calls]  # type: ignore[union-attr]

    return asyncio.run(story())


@pytest.mark.parametrize("era", ERAS)
def test_each_server_serves_its_tenants_below_its_own_path(
    era: Era, outer: Process, acme: World, globex: World
) -> None:
    of_acme, of_globex = token_of(acme), token_of(globex)

    first = told(outer, "first", "acme", of_acme, era, ("names", {}))
    first_of_globex = told(outer, "first", "globex", of_globex, era, ("names", {}))
    second = told(outer, "second", "acme", of_acme, era, ("caller", {}), ("restock", {"sku": "A-1"}))

    assert first == (["names"], ["- Acme anvil"])
    assert first_of_globex == (["names"], ["- Globex anvil"])
    assert second == (["caller", "restock"], ["outer", "Restocked"])
    with tenant_context(acme.id):
        assert Product.objects.get().stock == 10
    with tenant_context(globex.id):
        assert Product.objects.get().stock == 5


def test_another_tenants_token_opens_neither(outer: Process, acme: World, globex: World) -> None:
    headers = {"Authorization": f"Bearer {token_of(acme)}", "Accept": "application/json, text/event-stream"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

    answers = [
        httpx2.post(f"{outer.url}{path}/{tenant}/", json=message, headers=headers, timeout=120).status_code
        for path in PATHS.values()
        for tenant in ("acme", "globex", "nowhere")
    ]

    assert answers == [200, 401, 401] * 2


def test_the_outer_application_goes_on_serving_what_it_has(outer: Process) -> None:
    with urllib.request.urlopen(f"{outer.url}/healthz", timeout=120) as answer:
        assert answer.read() == b"outer"


@pytest.mark.parametrize("module", OUTER)
def test_checks_and_commands_find_both(module: str) -> None:
    with override_settings(ASGI_APPLICATION=f"tests.shop.{module}.app"):
        assert sorted(mcp.name for mcp in mounted()) == ["first", "second"]
