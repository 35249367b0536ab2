"""The lock files hold what pyproject.toml asks for, with hashes, and name no place to download from."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads(Path("pyproject.toml").read_text())
EXTRAS, GROUPS = PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]
RUNTIME = [*PROJECT["project"]["dependencies"], *EXTRAS["mcp"], *EXTRAS["embedded"], *GROUPS["core"]]
DEV = [*RUNTIME, *EXTRAS["test"], *GROUPS["dev"]]
# Of programs that tests run, beside .venv.
OF_TESTS = ["tests/support/node.txt", *map(str, sorted(Path("tests/clients").glob("python/*.txt")))]


def locked(name: str) -> dict[str, set[str]]:
    """The versions of each package; more than one where they differ by Python version."""
    versions: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", Path(name).read_text(), re.M):
        versions.setdefault(canonicalize_name(package), set()).add(version)
    return versions


@pytest.mark.parametrize(("name", "wanted"), [("requirements.txt", RUNTIME), ("requirements-dev.txt", DEV)])
def test_a_lock_satisfies_the_bounds(name: str, wanted: list[str]) -> None:
    versions = locked(name)

    for requirement in map(Requirement, wanted):
        found = versions.get(canonicalize_name(requirement.name), set())
        assert found, f"{requirement.name} is not locked: make lock"
        assert all(version in requirement.specifier for version in found), f"{requirement}: make lock"


def test_the_two_locks_agree() -> None:
    runtime, dev = locked("requirements.txt"), locked("requirements-dev.txt")

    assert {name: dev.get(name) for name in runtime} == runtime


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", *OF_TESTS])
def test_every_package_has_hashes_and_no_address(name: str) -> None:
    text = Path(name).read_text()

    for block in re.split(r"\n(?=[a-z0-9])", text.strip()):
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "://" not in text


@pytest.mark.parametrize("path", sorted(Path("tests").glob("**/package-lock.json")), ids=str)
def test_every_package_of_npm_has_a_hash_and_no_address(path: Path) -> None:
    packages = json.loads(path.read_text())["packages"]

    packages.pop("")
    assert packages
    # Those that another package brings along are covered by its hash.
    assert [name for name, each in packages.items() if "integrity" not in each and "inBundle" not in each] == []
    assert [name for name, each in packages.items() if "resolved" in each] == []
