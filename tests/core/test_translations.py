"""Every text that a person reads is in both catalogues, and the compiled ones are those of the sources."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from mcp_server.declare.tools import Endpoint
from tests.mcp_server.servers import shop_tools

LOCALE = Path("core/locale")
SOURCES = [path for top in ("core", "mcp_server", "rls") for path in Path(top).rglob("*.py")]


def catalogue(language: str) -> dict[str, str]:
    with (LOCALE / language / "LC_MESSAGES/django.po").open("rb") as source:
        return {str(message.id): str(message.string) for message in read_po(source) if message.id}


def texts() -> set[str]:
    """Every literal that the code hands to gettext, and the titles of tools, translated when they are listed."""
    ours = [spec for endpoint in Endpoint for spec in shop_tools(endpoint)]
    return {spec.title for spec in ours} | {
        node.args[0].value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "_"
        and isinstance(node.args[0], ast.Constant)
    }


@pytest.mark.parametrize("language", ["en", "zh_Hant"])
def test_every_text_is_translated(language: str) -> None:
    translated = catalogue(language)

    assert texts() == translated.keys()
    assert all(translated.values())


@pytest.mark.parametrize("language", ["en", "zh_Hant"])
def test_placeholders_survive_translation(language: str) -> None:
    for text, translated in catalogue(language).items():
        names = {part.partition("}")[0] for part in text.split("{")[1:]}

        assert names == {part.partition("}")[0] for part in translated.split("{")[1:]}, text


@pytest.mark.parametrize("language", ["en", "zh_Hant"])
def test_the_compiled_catalogue_is_the_sources(language: str) -> None:
    """`make messages` compiles them."""
    with (LOCALE / language / "LC_MESSAGES/django.mo").open("rb") as compiled:
        messages = {str(message.id): str(message.string) for message in read_mo(compiled) if message.id}

    assert messages == catalogue(language)
