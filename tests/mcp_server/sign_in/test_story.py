"""The SDK's own client, which has a tenant's URL and nothing else, in front of the shop with MCP_AUTH=sign-in."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from django.contrib.auth.models import User
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

from tests.mcp_server.oauth.test_client import Memory
from tests.mcp_server.sign_in.clients import BACK
from tests.support.processes import ERAS, Era, Process
from tests.support.visitors import Visitor
from tests.support.world import World


class Person:
    """Is sent to a page by a client, signs in there and says yes."""

    def __init__(self, visitor: Visitor, username: str) -> None:
        self._visitor, self._username = visitor, username

    async def sent(self, url: str) -> None:
        self._visitor.open(url).sign_in(self._username).send(decision="allow")

    async def came_back(self) -> AuthorizationCodeResult:
        told = self._visitor.told
        return AuthorizationCodeResult(code=told["code"], state=told["state"], iss=told["iss"])


def provider(url: str, memory: Memory, person: Person) -> OAuthClientProvider:
    metadata = OAuthClientMetadata(client_name="tests", redirect_uris=[BACK])
    return OAuthClientProvider(url, metadata, memory, person.sent, person.came_back)


async def called(url: str, auth: OAuthClientProvider, era: Era) -> tuple[set[str], Any]:
    async with httpx2.AsyncClient(auth=auth, timeout=300) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=era) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            return names, await client.call_tool("get_product", {"sku": "A-1"})


@pytest.mark.parametrize("era", ERAS)
def test_a_client_that_has_only_the_url_connects(
    era: Era, shop: Process, acme: World, grace: User, visitor: Visitor
) -> None:
    url, memory = shop.mcp("acme"), Memory()

    names, result = asyncio.run(called(url, provider(url, memory, Person(visitor, "grace")), era))

    assert "get_product" in names
    assert result.structured_content["name"] == "Acme anvil"
    assert memory.client is not None
    assert memory.client.client_secret is None


def test_its_token_is_refreshed_without_the_person(shop: Process, acme: World, grace: User, visitor: Visitor) -> None:
    url, memory, person = shop.mcp("acme"), Memory(), Person(visitor, "grace")
    asyncio.run(called(url, provider(url, memory, person), "2026-07-28"))
    assert memory.tokens is not None
    first = memory.tokens.access_token
    memory.tokens.expires_in = -1
    visitor.left_for = ""

    renewed = provider(url, memory, person)
    renewed.context.token_expiry_time = 1.0
    _, result = asyncio.run(called(url, renewed, "2026-07-28"))

    assert result.structured_content["name"] == "Acme anvil"
    assert memory.tokens.access_token != first
    assert visitor.left_for == ""
