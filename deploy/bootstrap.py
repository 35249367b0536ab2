"""Make .venv and install a lock file into it: python3 deploy/bootstrap.py requirements.txt

Where that is done already it returns at once. An environment that cannot be finished is removed; one without
a stamp is made anew, because nobody knows whether it was finished. Standard library only, and this must parse
on Python 3.8, so that it can say that it needs a newer one.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NO_NETWORK = r"connection|timed? ?out|name resolution|max retries|ProxyError|SSLError|from versions: none"


class BootstrapError(Exception):
    """One sentence: what is wrong, and what to do."""


class DownloadError(BootstrapError):
    """A BootstrapError before pip changed anything."""


def check_python(version: Sequence[int], executable: str) -> None:
    """Raise BootstrapError unless `version` (major, minor, micro) is new enough."""
    if tuple(version) < OLDEST_PYTHON:
        needed, found = (".".join(map(str, numbers)) for numbers in (OLDEST_PYTHON, version))
        raise BootstrapError(f"needs Python {needed} or newer; this is {found} ({executable}). Set PYTHON=...")


def bootstrap(lock: Path) -> None:
    """Afterwards .venv holds what `lock` says. Raises BootstrapError."""
    if is_installed(lock):
        return
    with alone():
        if is_installed(lock):
            return
        print(f"Installing {lock.name} into .venv, once ...", file=sys.stderr, flush=True)
        if is_finished():
            install(lock)
            return
        try:
            make_venv()
            install(lock)
        except BaseException:
            shutil.rmtree(VENV, ignore_errors=True)
            raise


def is_installed(lock: Path) -> bool:
    return stamps().get(stamp(lock)) == fingerprint(lock) and PYTHON.exists()


def is_finished() -> bool:
    return PYTHON.exists() and any(text.endswith(running_python()) for text in stamps().values())


def stamp(lock: Path) -> Path:
    return VENV / f".installed-{lock.name}"


def stamps() -> dict[Path, str]:
    return {path: path.read_text() for path in VENV.glob(".installed-*")}


def fingerprint(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest() + running_python()


def running_python() -> str:
    return " Python {}.{}".format(*sys.version_info)


def pins(lock: Path) -> set[str]:
    return {line.rstrip(" \\") for line in lock.read_text().splitlines() if re.match(r"[\w.\[\],-]+==", line)}


@contextmanager
def alone() -> Iterator[None]:
    """One call at a time in this project; the kernel drops the lock of a call that is killed."""
    project = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(project, fcntl.LOCK_EX)
        yield
    finally:
        os.close(project)


def make_venv() -> None:
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise BootstrapError(f"{sys.executable} cannot make a .venv: install the package python3-venv")
    made = run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if made.returncode:
        raise BootstrapError(f"could not make .venv: {last_error(made.stdout)}")


def install(lock: Path) -> None:
    """Install `lock`, and stamp every lock beside it that asks for nothing else."""
    before = stamps()
    for path in before:
        path.unlink()
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    installed = run([*command, "--require-hashes", "-r", str(lock)])
    if installed.returncode:
        error = explanation(lock, installed.stdout)
        if isinstance(error, DownloadError):
            for path, text in before.items():
                path.write_text(text)
        raise error
    for other in {lock, *lock.parent.glob("requirements*.txt")}:
        if pins(other) <= pins(lock):
            stamp(other).write_text(fingerprint(other))


def explanation(lock: Path, output: str) -> BootstrapError:
    said = last_error(output)
    if "DO NOT MATCH THE HASHES" in output:
        return DownloadError(f"a package differs from its hash in {lock.name}: find out who changed it")
    if re.search(NO_NETWORK, output, re.IGNORECASE):
        return DownloadError(f"could not download the packages: check the network, or PIP_INDEX_URL ({said})")
    return BootstrapError(f"could not install {lock.name}: {said}")


def last_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match("error", line, re.IGNORECASE)]
    return (errors or lines or ["no reason was given"])[-1]


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def main(lock_name: str) -> int:
    try:
        check_python(sys.version_info[:3], sys.executable)
        bootstrap(ROOT / lock_name)
    except BootstrapError as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"could not make .venv: {error}"
    except KeyboardInterrupt:
        sentence = "interrupted before .venv was ready: run it again"
    else:
        return 0
    print(f"bootstrap: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 deploy/bootstrap.py LOCKFILE")
    sys.exit(main(sys.argv[1]))
