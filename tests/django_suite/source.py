"""Django's tests, out of its source distribution: downloaded by pip, held against the hash in the lock file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements-dev.txt"
PLACE = ROOT / ".local" / "django-suite"

# pip saves a source distribution once its metadata is prepared, which is work for the package's build backend. This one
# stands in its place: the distribution says in PKG-INFO what it is, so nothing is built and nothing of it is run.
BACKEND = """
import pathlib, shutil

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    found = pathlib.Path(directory, "django.dist-info")
    found.mkdir()
    shutil.copy("PKG-INFO", found / "METADATA")
    return found.name
"""


class NoSource(Exception):
    """Django's tests can't be had. The message is one sentence that ends in what to do."""


def tests() -> Path:
    """The directory `tests` of the Django that is installed, fetched once for each version."""
    version = django.get_version()
    place = PLACE / version
    if not (place / "tests").is_dir():
        pin = pinned(LOCK.read_text(), version)
        PLACE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=PLACE) as scratch:
            unpacked = _unpack(_download(pin, Path(scratch)))
            shutil.rmtree(place, ignore_errors=True)
            unpacked.rename(place)
    return place / "tests"


def pinned(lock: str, version: str) -> str:
    """The requirement of this version of Django with the hashes that the lock file has for it."""
    found = re.search(rf"^django=={re.escape(version)} .*\n(?: +--hash=.*\n)+", lock, re.MULTILINE)
    if found is None:
        raise NoSource(f"{LOCK.name} has no hash for Django {version}: install what it pins, or run `make lock`")
    return found[0].rstrip().removesuffix("\\")


def _download(pin: str, scratch: Path) -> Path:
    (scratch / "setuptools").mkdir()
    (scratch / "setuptools" / "__init__.py").touch()
    (scratch / "setuptools" / "build_meta.py").write_text(BACKEND)
    (scratch / "django.txt").write_text(pin)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary", "django", "--no-build-isolation", "--require-hashes"]
    command += ["-r", str(scratch / "django.txt"), "-d", str(scratch)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(scratch)}, check=False)
    if done.returncode:
        raise NoSource("pip could not fetch Django's source distribution: its words are above")
    return next(scratch.glob("*.tar.gz"))


def _unpack(archive: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(archive.parent, filter="data")
    return archive.parent / archive.name.removesuffix(".tar.gz")
