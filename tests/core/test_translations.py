"""Every text that a person reads is in the catalogues of its package, and the compiled ones are of the sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from mcp_server.declare.tools import Endpoint
from tests.support import chinese
from tests.support.servers import shop_tools

# The library's texts are English; the shop serves both languages, whichever is the installation's.
CATALOGUES = [("core", "en"), ("core", "zh_Hant"), ("mcp_server", "zh_Hant")]
each_catalogue = pytest.mark.parametrize(("package", "language"), CATALOGUES)


def directory(package: str, language: str) -> Path:
    return Path(package, "locale", language, "LC_MESSAGES")


def catalogue(package: str, language: str) -> dict[str, str]:
    with (directory(package, language) / "django.po").open("rb") as source:
        return {str(message.id): str(message.string) for message in read_po(source) if message.id}


def texts(package: str) -> set[str]:
    """Every literal that the code hands to gettext."""
    return {
        node.args[0].value
        for path in Path(package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "_"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def titles() -> set[str]:
    """Those of the shop's tools, which are translated when they are listed."""
    return {spec.title for endpoint in Endpoint for spec in shop_tools(endpoint)}


@each_catalogue
def test_every_text_is_translated(package: str, language: str) -> None:
    translated = catalogue(package, language)

    assert texts(package) | (titles() if package == "core" else set()) == translated.keys()
    assert all(translated.values())


def test_rls_has_no_text_that_would_need_a_catalogue() -> None:
    assert not texts("rls")


@each_catalogue
def test_placeholders_survive_translation(package: str, language: str) -> None:
    for text, translated in catalogue(package, language).items():
        names = {part.partition("}")[0] for part in text.split("{")[1:]}

        assert names == {part.partition("}")[0] for part in translated.split("{")[1:]}, text


# The answers that the specification quotes with ASCII colons and commas.
QUOTED = (
    "- 創建時間: ",
    "- 名稱: ",
    "- 狀態: ",
    "- 子域名: ",
    "- 用戶數量: ",
    "租戶 {name}: ",
    "用戶列表:",
    "租戶列表:",
    "租戶資訊:",
)


def chinese_texts() -> list[tuple[str, str]]:
    return [
        (text, translated)
        for package in ("core", "mcp_server")
        for text, translated in catalogue(package, "zh_Hant").items()
        if re.search("[\u4e00-\u9fff]", translated) and not translated.startswith(QUOTED)
    ]


def test_chinese_has_chinese_punctuation() -> None:
    ascii_beside_chinese = re.compile(r"[\u4e00-\u9fff}][:;,!?]( |$)|[\u4e00-\u9fff]\(")

    for text, translated in chinese_texts():
        found = ascii_beside_chinese.search(translated)
        assert not found, f"{text!r}: write a full-width mark for {found and found.group()!r}"


def test_chinese_is_that_of_taiwan() -> None:
    found = {translated: list(chinese.faults(translated)) for _, translated in chinese_texts()}

    assert {translated: faults for translated, faults in found.items() if faults} == {}


@each_catalogue
def test_the_compiled_catalogue_is_the_sources(package: str, language: str) -> None:
    """`make messages` compiles them."""
    with (directory(package, language) / "django.mo").open("rb") as compiled:
        messages = {str(message.id): str(message.string) for message in read_mo(compiled) if message.id}

    assert messages == catalogue(package, language)
