"""docs/how-to/let-people-sign-in.md: what it tells to write is written."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_server import MCP, SignIn
from tests.support.pages import blocks

PAGE = "docs/how-to/let-people-sign-in.md"


def test_a_project_says_it_in_its_asgi_module() -> None:
    names: dict[str, Any] = {}

    exec(blocks(PAGE)[-1].text, names)

    assert isinstance(names["mcp"], MCP)
    assert isinstance(names["mcp"].authenticate, SignIn)


def test_a_project_says_it_in_its_settings_and_urls() -> None:
    from django.urls import include, path

    settings: dict[str, Any] = {"INSTALLED_APPS": [], "RLS_SHARED_MODELS": {}}
    urls: dict[str, Any] = {"urlpatterns": [], "path": path, "include": include}
    first, second, _ = [block for block in blocks(PAGE) if block.language == "python"]

    exec(first.text, settings)
    exec(second.text, urls)

    assert settings["RLS_SHARED_MODELS"].keys() == {"mcp_sign_in.Client", "mcp_sign_in.Consent"}
    paths = {str(pattern.pattern) for pattern in urls["urlpatterns"][0].url_patterns}
    assert paths == {
        ".well-known/oauth-authorization-server",
        *("register", "authorize", "token", "revoke", "sign-in"),
    }


@pytest.mark.parametrize("path", ["register", "authorize", "token", "revoke", "sign-in"])
def test_every_path_is_told(path: str) -> None:
    from pathlib import Path

    assert f"| `/{path}` |" in Path(PAGE).read_text()
