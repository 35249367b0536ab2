"""README.zh-Hant.md is all of README.md, block for block and line for line, in the Chinese of Taiwan."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import chinese
from tests.support.pages import BLOCK, blocks

ENGLISH, CHINESE = Path("README.md"), Path("README.zh-Hant.md")
# The title, and the line with a link to the other language.
OPENING = 2

TARGET = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`[^`]+`")
FIGURE = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Part:
    """A heading, a paragraph, an item of a list or a cell of a table, with what is the same in each language."""

    kind: str
    links: Counter[str]
    names: Counter[str]
    figures: Counter[str]


def texts(page: Path) -> list[str]:
    """The parts of a page outside of its blocks, each on one line."""
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    joined = re.sub(r"(?<=\S)\n(?=[^\n|#-]) *", " ", prose)
    return [line for line in joined.splitlines() if line]


def part(text: str, kind: str) -> Part:
    plain = TARGET.sub("]", text)
    return Part(
        kind,
        links=Counter(TARGET.findall(text)),
        names=Counter(CODE.findall(plain)),
        figures=Counter(FIGURE.findall(CODE.sub("", plain))),
    )


def parts(text: str) -> list[Part]:
    if text.startswith("|"):
        return [part(cell, "cell") for cell in text.strip("|").split("|")]
    mark = re.match(r"#+ |- |", text)
    return [part(text, mark[0] if mark else "")]


def pairs() -> list[tuple[str, str]]:
    return list(zip(texts(ENGLISH), texts(CHINESE), strict=False))


def test_each_begins_with_a_link_to_the_other() -> None:
    english, translated = texts(ENGLISH)[:OPENING], texts(CHINESE)[:OPENING]

    assert english[0] == translated[0]
    assert TARGET.findall(english[1]) == [str(CHINESE)]
    assert TARGET.findall(translated[1]) == [str(ENGLISH)]


def test_both_have_the_same_blocks() -> None:
    english, translated = ([(block.language, block.text) for block in blocks(page)] for page in (ENGLISH, CHINESE))

    assert len(english) > 5
    assert translated == english, f"copy the blocks of {ENGLISH} into {CHINESE} as they stand"


def test_both_have_the_same_headings_paragraphs_items_rows_links_names_and_figures() -> None:
    for english, translated in pairs()[OPENING:]:
        assert parts(translated) == parts(english), (
            f"say in {CHINESE} what {ENGLISH} says, with its links, its names in code and its figures:\n"
            f"{english}\n{translated}"
        )

    assert len(texts(CHINESE)) == len(texts(ENGLISH))


def test_nothing_but_the_rules_of_tables_is_left_in_english() -> None:
    copied = [english for english, translated in pairs()[OPENING:] if english == translated]

    assert [text for text in copied if not set(text) <= set("|- ")] == []


def test_it_is_the_chinese_of_taiwan() -> None:
    assert list(chinese.faults(CHINESE.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "资料库",
        "数据",
        "數據庫",
        "默認",
        "設定,",
        "（設定)",
        "設定: 值",
        "在Django裡",
        "用`rls`",
        "設定 ，值",
        "設 定",
        "一行，\n兩行",
    ],
)
def test_other_chinese_is_found(text: str) -> None:
    assert list(chinese.faults(text))


@pytest.mark.parametrize(
    "text", ["在 Django 裡，用 `rls`。", "| 設定 | `a`、`b` |\n|---|---|\n", "[設定](docs/a.md)：值", "- 一，\n- 二"]
)
def test_chinese_of_taiwan_is_not(text: str) -> None:
    assert list(chinese.faults(text)) == []
