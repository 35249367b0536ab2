"""Whoever follows a page: in a directory, at a shell that stays, block after block."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.pages import Block, missing

DEADLINE = 300


class Shell:
    """A bash that stays, so that a variable or a function of one block is there in the next."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="shell-")
        self._bash = subprocess.Popen(
            ["bash"], cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, command: str, typed: str = "") -> tuple[int, str]:
        """The exit status of a command, and all that it said; `typed` is what it reads."""
        place = Path(self._place.name)
        (place / "typed").write_text(typed)
        (place / "command").write_text(command)
        assert self._bash.stdin
        assert self._bash.stdout
        self._bash.stdin.write(f". {place}/command <{place}/typed >{place}/said 2>&1; echo $?\n".encode())
        self._bash.stdin.flush()
        ready, _, _ = select.select([self._bash.stdout], [], [], DEADLINE)
        said = (place / "said").read_text()
        assert ready, f"{command} has not ended:\n{said}"
        return int(self._bash.stdout.readline() or 1), said

    def close(self) -> None:
        self._bash.kill()
        self._bash.communicate()
        self._place.cleanup()


@dataclass
class Reader:
    """Somebody who does what a page says.

    Where the page has what is another each time (a token, a port), `replaced` says what it is here; `by_hand` does
    what asks at a terminal, by the beginning of the command.
    """

    directory: Path
    shell: Shell
    replaced: dict[str, str] = field(default_factory=dict)
    by_hand: dict[str, Callable[[], object]] = field(default_factory=dict)
    # What psql was called as last, and what has been typed into Django's shell.
    psql: str = ""
    session: str = ""
    said: str = ""

    def follow(self, block: Block) -> None:
        """Do what a block says. AssertionError where that fails, or says something else than the page."""
        text = self._here(block.text)
        match block.language:
            case "console":
                self._type(block)
            case "sh":
                for statement in block.statements():
                    self._run(self._here(statement))
            case "sql":
                self._run(self.psql, text)
            case "python" if name := block.file():
                self._write(name, text, is_new="new file" in block.before or not (self.directory / name).exists())
            case "python":
                self.session += text
            case other:
                raise AssertionError(f"{block.name}: nobody knows how to follow a block of {other!r}")

    def finish(self) -> None:
        """Run what the page types into Django's shell, in one of them."""
        if self.session:
            self._run(".venv/bin/python manage.py shell -v 0", self.session)

    def _write(self, name: str, text: str, *, is_new: bool) -> None:
        path = self.directory / name
        if is_new:
            assert not path.exists(), f"{name} is there already: who follows the page would lose what stands in it"
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text if is_new else f"\n\n{text}")

    def _type(self, block: Block) -> None:
        for typed in block.session():
            command = self._here(typed.command) or self.psql
            if "psql" in command and typed.lines:
                self.psql = command
            status, said = self.shell.run(command, "".join(f"{self._here(line)}\n" for line in typed.lines))
            self.said = said
            lacking = missing([self._here(line) for line in typed.shown], said)
            assert not lacking, (
                f"{block.page}: {command}\nis said to print\n{chr(10).join(lacking)}\nand prints\n{said}"
            )
            # Psql goes on after an error, and a command that the page shows to fail says so.
            assert status == 0 or typed.shown, f"{block.page}: {command}\n{said}"

    def _run(self, command: str, typed: str = "") -> None:
        for beginning, act in self.by_hand.items():
            if command.startswith(beginning):
                act()
                return
        status, self.said = self.shell.run(command, typed)
        assert status == 0, f"{command}{typed}\n{self.said}"

    def _here(self, text: str) -> str:
        for written, here in self.replaced.items():
            text = text.replace(written, here)
        return text


@contextmanager
def reading(directory: Path, environment: Mapping[str, str] | None = None, **replaced: str) -> Iterator[Reader]:
    shell = Shell(directory, environment if environment is not None else os.environ)
    try:
        yield Reader(directory, shell, replaced)
    finally:
        shell.close()
