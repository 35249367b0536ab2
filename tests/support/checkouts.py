"""Copies of the project as a newcomer has it after `make run`: an environment, a database, two demo tenants."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import free_port

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "dist", "*.egg-info")
# What a newcomer has not set; `make test ARGS=...` hands its own variables on to every make below it.
OURS = (
    *("SECRET_KEY", "DJANGO_SETTINGS_MODULE"),
    *("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "ARGS", "PORT", "TENANT"),
)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of the project, and a demo that is served from it: its port, and the token of test1."""

    path: Path
    port: int = 0
    token: str = ""

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in OURS}
        return {key: value for key, value in kept.items() if not key.endswith("DATABASE_URL") and key[:2] != "PG"}

    def copy(self, path: Path) -> Checkout:
        """Another one, whose server does not run, with the same rows."""
        subprocess.run(["cp", "-a", self.path, path], check=True)
        return Checkout(path)

    @contextmanager
    def serving(self) -> Iterator[Checkout]:
        """`make run` in another terminal."""
        port = free_port()
        process = subprocess.Popen(
            ["make", "-s", "run", f"PORT={port}"],
            cwd=self.path,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout
        said = ""
        try:
            for line in process.stdout:
                said += line
                if line.startswith("Ctrl-C stops"):
                    break
            found = re.search(r"tmcp_[\w-]+", said)
            assert found, said
            yield Checkout(self.path, port, found[0])
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=300)


@contextmanager
def checkout() -> Iterator[Checkout]:
    """A new copy. The user that runs its server may pass through the directories above it."""
    place = Path(tempfile.mkdtemp(prefix="checkout-"))
    place.chmod(0o711)
    try:
        shutil.copytree(ROOT, place / "project", ignore=LEFT_OUT)
        _environment(place / "project/.venv")
        (place / "project").chmod(0o711)
        yield Checkout(place / "project")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _environment(venv: Path) -> None:
    """What `make` would install: here the environment in which the tests run."""
    venv.mkdir()
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", venv)
    for name in ("bin", "lib"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    version = ".".join(map(str, sys.version_info[:2]))
    for name in ("requirements", "requirements-dev"):
        (venv / f"installed-{version}-{name}").touch()
