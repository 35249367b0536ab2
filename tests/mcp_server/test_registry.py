"""What is declared, where it is found, and whose it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured

from mcp_server import MCP
from mcp_server.declare.registry import DECLARED
from mcp_server.declare.tools import Answer, Endpoint, tool
from tests.support.servers import own, shop


class Nothing(Answer):
    """An empty answer."""

    def text(self) -> str:
        return ""


@pytest.fixture
def apart() -> Iterator[None]:
    """Declarations of a test stay in the test."""
    before = list(DECLARED)
    yield
    DECLARED[:] = before


def names(mcp: MCP, endpoint: Endpoint = Endpoint.TENANT) -> list[str]:
    return [spec.name for spec in mcp.registry().tools(endpoint)]


def test_tools_of_installed_apps_are_found() -> None:
    assert {"list_tenants", "shop_names"} <= set(names(shop()))


def test_a_server_may_have_some_apps_only() -> None:
    found = names(MCP("mine", apps=["shop"]))

    assert "shop_names" in found
    assert all(name.startswith("shop_") for name in found)


def test_an_app_that_is_not_there_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match="no app has the label 'shopp': write MCP\\(apps="):
        MCP("mine", apps=["shopp"]).registry()


def test_what_is_declared_on_a_server_is_of_that_server_alone() -> None:
    first, second = own("first"), own("second")

    @first.tool(scope=None, title="Mine", read_only=True)
    def mine() -> Nothing:
        """Mine."""
        return Nothing()

    assert (names(first), names(second)) == (["mine"], [])
    assert "mine" not in names(shop())


def test_two_tools_cannot_have_one_name(apart: None) -> None:
    @tool(scope=None, title="Mine", read_only=True)
    def list_tenants() -> Nothing:
        """Mine."""
        return Nothing()

    with pytest.raises(ImproperlyConfigured, match="two tools are named list_tenants: core"):
        shop().registry()


def test_apps_of_different_servers_may_have_tools_of_one_name(apart: None) -> None:
    @tool(scope=None, title="Mine", read_only=True)
    def list_tenants() -> Nothing:
        """Mine."""
        return Nothing()

    assert "list_tenants" in names(MCP("mine", apps=["core"]))


def test_a_platform_tool_is_not_async() -> None:
    with pytest.raises(ImproperlyConfigured, match="must be a plain def"):

        @own().tool(scope=None, title="Mine", read_only=True, endpoint=Endpoint.PLATFORM)
        async def mine() -> Nothing:
            """Mine."""
            return Nothing()
