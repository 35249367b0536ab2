"""The blocks of the documents, as a reader would copy them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
# A file that the text before a block names.
FILE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|ini))`")
# What stands before what is typed: at a shell, and at psql.
SHELL, PSQL = "$ ", re.compile(r"^\w+=[>#] (.*)$")


@dataclass(frozen=True, slots=True)
class Typed:
    """A command, what is typed at the prompt of what it starts, and the lines that the page shows."""

    command: str
    lines: list[str]
    shown: list[str]


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, "" where none is said, its text, and the heading and paragraph that it follows."""

    page: str
    language: str
    text: str
    heading: str
    before: str

    @property
    def name(self) -> tuple[str, str]:
        """By which tests speak of it: its page, and its first line."""
        return self.page, self.text.partition("\n")[0]

    def file(self) -> str | None:
        """The path of the file that it is, or is a part of, where the text before it says so."""
        names = FILE.findall(self.before)
        return names[-1] if names and self.before.endswith(":") else None

    def commands(self) -> list[str]:
        """What is typed: the lines after a prompt where there is one, else all; a line that goes on is one command."""
        text = re.sub(r" *\\\n *", " ", self.text)
        prompted = re.findall(r"^\$ (.+)$", text, re.MULTILINE)
        return prompted or [line for line in text.splitlines() if line]

    def statements(self) -> list[str]:
        """The commands of a script, each as many lines as the shell reads for one."""
        found, lines = [], ""
        for line in self.text.splitlines(keepends=True):
            lines += line
            if not lines.endswith("\\\n") and _is_whole(lines):
                found.append(lines)
                lines = ""
        assert not lines.strip(), f"{self.page}: no shell can read {lines!r}"
        return [each for each in found if each.strip() and not each.startswith("#")]

    def session(self) -> list[Typed]:
        """What is typed and shown in a terminal. What begins at a prompt of psql has no command."""
        found: list[Typed] = []
        for line in re.sub(r" *\\\n *", " ", self.text).splitlines():
            if line.startswith(SHELL):
                found.append(Typed(line.removeprefix(SHELL), [], []))
                continue
            if not found:
                found.append(Typed("", [], []))
            if typed := PSQL.match(line):
                found[-1].lines.append(typed[1])
            else:
                found[-1].shown.append(line)
        return found


def blocks(page: Path | str) -> list[Block]:
    """The blocks of a page, in the order written."""
    text = Path(page).read_text(encoding="utf-8")
    return [_block(str(page), text, match) for match in BLOCK.finditer(text)]


def _block(page: str, text: str, match: re.Match[str]) -> Block:
    above = text[: match.start()]
    headings = HEADING.findall(BLOCK.sub("", above))
    indent = len(match[1])
    lines = [line[indent:] for line in match[3].splitlines()]
    before = " ".join(above.rstrip().rpartition("\n\n")[2].split())
    return Block(page, match[2], "\n".join(lines) + "\n", headings[-1] if headings else "", before)


def _is_whole(lines: str) -> bool:
    checked = subprocess.run(["bash", "-n"], input=lines, capture_output=True, text=True, check=False)
    return checked.returncode == 0 and "here-document" not in checked.stderr


# Ids, times, and the numbers of files that are written: others each time.
VARYING = [
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\b\d{4}_"), "<number>_"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:\+\d\d(?::\d\d)?)?"), "<time>"),
]


def missing(shown: list[str], said: str) -> list[str]:
    """The lines of a page that are not said in their order. It may leave lines out, and parts of a line with "..."."""
    actual = [plain for line in said.splitlines() if (plain := _plain(line))]
    lacking, place = [], 0
    for line in shown:
        parts = [re.escape(part.strip()) for part in _plain(line).split("...")]
        if not any(parts):
            continue
        wanted = re.compile(".*".join(parts))
        found = next((at for at in range(place, len(actual)) if wanted.fullmatch(actual[at])), None)
        if found is None:
            lacking.append(line)
        else:
            place = found + 1
    return lacking


def _plain(line: str) -> str:
    """A line without what varies, and without the white space and the lines of a table."""
    for pattern, name in VARYING:
        line = pattern.sub(name, line)
    return " ".join(re.sub(r"[|+-]{3,}", " ", line).replace("|", " ").split())
