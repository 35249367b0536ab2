"""The wheel of the two libraries, built from this checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# What the build reads. Nothing else of the checkout is there when the wheel is made.
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "rls", "mcp_server")


def build(directory: Path) -> Path:
    """Copy the sources into `directory` and build there. The path of the wheel."""
    checkout, wheels = directory / "checkout", directory / "wheels"
    checkout.mkdir()
    for name in SOURCES:
        if Path(name).is_dir():
            shutil.copytree(name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(name, checkout / name)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = wheels.iterdir()
    return wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build(tmp_path_factory.mktemp("wheel"))
