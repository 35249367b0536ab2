"""`@tool` and discovery."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from mcp_server.declare import discovery, tools
from mcp_server.declare.tools import Answer, Endpoint, tool


class Nothing(Answer):
    """An empty answer."""

    def text(self) -> str:
        return ""


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declarations of a test stay in the test."""
    discovery.load()
    monkeypatch.setattr(tools, "_tools", dict(tools._tools))


def test_tools_of_installed_apps_are_found() -> None:
    names = [spec.name for spec in tools.tools(Endpoint.TENANT)]

    assert "list_tenants" in names
    assert "shop_names" in names


def test_two_tools_cannot_have_one_name() -> None:
    with pytest.raises(ImproperlyConfigured, match="two tools are named list_tenants"):

        @tool(scope=None, title="Mine", read_only=True)
        def list_tenants() -> Nothing:
            return Nothing()


def test_a_platform_tool_is_not_async() -> None:
    with pytest.raises(ImproperlyConfigured, match="must be a plain def"):

        @tool(scope=None, title="Mine", read_only=True, endpoint=Endpoint.PLATFORM)
        async def mine() -> Nothing:
            return Nothing()
