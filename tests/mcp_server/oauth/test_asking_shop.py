"""The shop's process where it asks its issuer about each token: what is revoked there ends here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

import psycopg
import pytest

from core.scopes import Scope
from tests.mcp_server.test_subscriptions import PRODUCTS, Watcher, ended, next_uri
from tests.support.issuers import CLIENT, Identities
from tests.support.processes import Process, connected, serving
from tests.support.world import World

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def asking_server(
    django_db_setup: str, shops_issuer: Identities, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """The shop with a client at its issuer."""
    client_id, secret = CLIENT
    settings = {"MCP_OAUTH_CLIENT_ID": client_id, "MCP_OAUTH_CLIENT_SECRET": secret}
    log = tmp_path_factory.mktemp("asking") / "log"
    with serving(log, MCP_AUTH="oauth", MCP_OAUTH_ISSUERS=shops_issuer.url, **settings) as process:
        yield process


@pytest.mark.anyio
async def test_a_stream_ends_with_the_token(
    asking_server: Process, shops_issuer: Identities, acme: World, admin: psycopg.Connection
) -> None:
    token = shops_issuer.opaque(asking_server.mcp("acme"), str(Scope.PRODUCTS_READ))

    async with AsyncExitStack() as stack:
        stream = await Watcher(stack).listen(asking_server, acme, "product://A-1", token=token)
        admin.execute(PRODUCTS, [acme.id])
        assert await next_uri(stream) == "product://A-1"
        del shops_issuer.good[token]
        admin.execute(PRODUCTS, [acme.id])
        assert await ended(stream)


@pytest.mark.anyio
async def test_no_secret_is_in_the_log(asking_server: Process, shops_issuer: Identities, acme: World) -> None:
    token = shops_issuer.opaque(asking_server.mcp("acme"), str(Scope.PRODUCTS_READ))

    async with connected(asking_server.mcp("acme"), token) as client:
        result = await client.call_tool("get_product", {"sku": "A-1"})

    log = asking_server.log.read_text()
    assert result.structured_content["name"] == "Acme anvil"
    assert '"tool": "get_product"' in log
    assert token not in log
    assert CLIENT[1] not in log
