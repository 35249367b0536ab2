"""The blocks of the documents, as a reader would copy them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, "" where none is said, its text, and the heading and paragraph that it follows."""

    language: str
    text: str
    heading: str
    before: str

    def commands(self) -> list[str]:
        """What is typed: the lines after a prompt where there is one, else all; a line that goes on is one command."""
        text = re.sub(r" *\\\n *", " ", self.text)
        prompted = re.findall(r"^\$ (.+)$", text, re.MULTILINE)
        return prompted or [line for line in text.splitlines() if line]


def blocks(page: Path | str) -> list[Block]:
    """The blocks of a page, in the order written."""
    text = Path(page).read_text(encoding="utf-8")
    return [_block(text, match) for match in BLOCK.finditer(text)]


def _block(text: str, match: re.Match[str]) -> Block:
    above = text[: match.start()]
    headings = HEADING.findall(BLOCK.sub("", above))
    indent = len(match[1])
    lines = [line[indent:] for line in match[3].splitlines()]
    before = " ".join(above.rstrip().rpartition("\n\n")[2].split())
    return Block(match[2], "\n".join(lines) + "\n", headings[-1] if headings else "", before)
