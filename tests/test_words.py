"""Each concept has one word, and neither library knows the words of its example."""

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


# One word for each concept: docs/reference/words.md.
WORDS_PAGE = Path("docs/reference/words.md")
SUFFIXES = {".py", ".sql", ".po", ".html", ".md"}


def table() -> list[list[str]]:
    """The cells of each row: the word, the one in Chinese, what it stands for, what is not said."""
    lines = [line for line in WORDS_PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")] for line in lines[2:]]


def discarded() -> list[str]:
    """The words that stand for a concept that has another one."""
    return sorted({row[-1] for row in table() if row[-1]})


def test_each_concept_has_its_word_in_chinese() -> None:
    lacking = [row[0] for row in table() if len(row) != 4 or not row[1]]

    assert lacking == [], f"give each row of {WORDS_PAGE} its four cells"


def test_a_concept_is_called_by_its_word() -> None:
    """In the code and the documents. Decisions (docs/adr) stay as they were written."""
    paths = [path for root in (*LIBRARIES, "core", "docs", "migrations_sql") for path in Path(root).rglob("*")]
    paths = [path for path in [*paths, *Path().glob("*.md")] if path.suffix in SUFFIXES]
    paths = [path for path in paths if path != WORDS_PAGE and "adr" not in path.parts]
    wanted = re.compile(rf"(?<![a-z])({'|'.join(discarded())})s?(?![a-z])", re.IGNORECASE)

    found = [
        f"{path}:{number}: {line.strip()}" for path in paths for number, line in lines(path) if wanted.search(line)
    ]

    assert discarded(), "the table has no words"
    assert found == [], f"use the word of {WORDS_PAGE}\n" + "\n".join(found)
