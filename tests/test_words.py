"""Neither library knows the words of its example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

LIBRARIES = ("rls", "mcp_server")

# In names too: core_product, ProductPage, products. Not in production, nor in Taipeh.
WORDS = re.compile(r"(?<![a-z])(shops?|products?|twd|taipei)(?![a-z])", re.IGNORECASE)
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are ours, numbered. Of translations, the msgids: another language has other words."""
    is_ours = path.suffix != ".po"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if path.suffix == ".po" and not line.startswith('"'):
            is_ours = line.startswith(("msgid", "msgctxt"))
        if is_ours:
            yield number, line


def said(text: str) -> list[str]:
    """The words of the example in a text."""
    return WORDS.findall(HUMP.sub(" ", text))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_says_no_word_of_the_example(library: str) -> None:
    paths = [
        path for path in sorted(Path(library).rglob("*")) if path.suffix in {".py", ".sql", ".po", ".html", ".svg"}
    ]

    found = [f"{path}:{number}: {line.strip()}" for path in paths for number, line in lines(path) if said(line)]

    assert len(paths) > 50
    assert found == [], "say it with words that fit any project: row, item, order, EUR, UTC\n" + "\n".join(found)


@pytest.mark.parametrize("text", ["the shop's", "core_product", "ProductPage", "PRODUCTS_READ", "Asia/Taipei", "twd"])
def test_the_words_are_found(text: str) -> None:
    assert said(text)


@pytest.mark.parametrize("text", ["in production", "workshop", "productive", "reproduced"])
def test_other_words_are_not(text: str) -> None:
    assert not said(text)
