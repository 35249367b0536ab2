"""The SDK's own client with nothing but a tenant's URL: it finds the issuer, registers, asks the person, calls."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)

from core.scopes import Scope
from tests.support.issuers import Identities
from tests.support.processes import ERAS, Era, Process
from tests.support.world import World

BACK = "http://127.0.0.1:1/callback"


@dataclass
class Memory:
    """What a client keeps."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Person:
    """Agrees to what a client asks for, in a browser."""

    def __init__(self) -> None:
        self.asked: dict[str, list[str]] = {}
        self._sent_back: dict[str, list[str]] = {}

    async def sent(self, url: str) -> None:
        self.asked = parse_qs(urlsplit(url).query)
        async with httpx2.AsyncClient() as browser:
            answer = await browser.get(url)
        self._sent_back = parse_qs(urlsplit(answer.headers["location"]).query)

    async def came_back(self) -> AuthorizationCodeResult:
        [code], [state], [iss] = (self._sent_back[name] for name in ("code", "state", "iss"))
        return AuthorizationCodeResult(code=code, state=state, iss=iss)


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("end", ["/", ""])
async def test_a_client_that_has_only_the_url_connects(
    end: str, era: Era, oauth_server: Process, shops_issuer: Identities, acme: World
) -> None:
    url = oauth_server.mcp("acme").removesuffix("/") + end
    person, memory = Person(), Memory()
    metadata = OAuthClientMetadata(
        client_name="tests", redirect_uris=[BACK], grant_types=["authorization_code"], response_types=["code"]
    )
    provider = OAuthClientProvider(url, metadata, memory, person.sent, person.came_back)

    async with httpx2.AsyncClient(auth=provider, timeout=300) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=era) as client:
            result = await client.call_tool("get_product", {"sku": "A-1"})

    assert result.structured_content["name"] == "Acme anvil"
    # What it has asked the issuer for: this tenant's URL, and every scope but those on request.
    assert person.asked["resource"] == [url]
    assert set(person.asked["scope"][0].split()) == set(map(str, Scope)) - {str(Scope.DEMO_WRITE)}
    assert memory.client is not None
    assert memory.client.client_id in shops_issuer.clients
