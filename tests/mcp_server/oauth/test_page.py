"""docs/how-to/sign-in-with-your-identity-provider.md: what it tells to write is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcp_server import MCP, ResourceServer
from tests.support.issuers import Identities
from tests.support.pages import Block, blocks
from tests.support.processes import serving
from tests.support.world import World

PAGE = "docs/how-to/sign-in-with-your-identity-provider.md"


def of(language: str) -> list[Block]:
    return [block for block in blocks(PAGE) if block.language == language]


@pytest.mark.slow
def test_the_shop_is_told_by_its_environment(issuer: Identities, acme: World, tmp_path: Path) -> None:
    [block] = of("ini")
    environment = dict(line.split("=", 1) for line in block.text.splitlines())
    told = environment | {"MCP_OAUTH_ISSUERS": issuer.url}

    with serving(tmp_path / "log", **told) as process:
        metadata = httpx2.get(f"{process.url}/.well-known/oauth-protected-resource/mcp/acme/").json()

    assert metadata["resource"] == f"{environment['PUBLIC_URL']}/mcp/acme/"
    assert metadata["authorization_servers"] == [issuer.url]


def test_a_project_says_it_in_its_asgi_module() -> None:
    names: dict[str, Any] = {}

    for block in of("python"):
        exec(block.text, names)

    assert isinstance(names["mcp"], MCP)
    assert isinstance(names["mcp"].authenticate, ResourceServer)


@pytest.mark.parametrize("name", ["MCP_OAUTH_AUDIENCE", "MCP_OAUTH_TENANT_CLAIM", "MCP_OAUTH_CLIENT_ID"])
def test_every_setting_is_one_of_the_shop(name: str) -> None:
    assert f'"{name}"' in Path("core/settings.py").read_text()
    assert f"`{name}`" in Path(PAGE).read_text()
