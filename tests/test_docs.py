"""The reference names what there is and nothing else, and every link of the documents leads somewhere."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import re
from argparse import _SubParsersAction
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import load_command_class

import mcp_server
import rls
from mcp_server import operations as mcp_operations
from rls import audit, middleware, models, operations
from rls.audit import reports
from tests.support import programs

REFERENCE = Path("docs/reference")
DOCUMENTS = sorted([*Path().glob("*.md"), *Path("docs").glob("**/*.md"), *Path("examples").glob("*/*.md")])

HEADING = re.compile(r"^(#+) +(.+)$", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def read(page: str) -> str:
    return (REFERENCE / page).read_text(encoding="utf-8")


def sections(page: str) -> set[str]:
    """The names, in code, that are headings of a page of the reference."""
    return {title[1:-1] for _, title in HEADING.findall(FENCED.sub("", read(page))) if title.startswith("`")}


def rows(page: str) -> list[list[str]]:
    """The cells of every table's row in a page."""
    lines = [line for line in read(page).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def classes_of(module: Any) -> set[str]:
    """The public classes that `module` defines."""
    return {
        f"{module.__name__}.{name}"
        for name, value in inspect.getmembers(module, inspect.isclass)
        if value.__module__ == module.__name__ and not name.startswith("_")
    }


def resolve(name: str) -> object:
    """What a dotted name stands for: a module, or an attribute of one. Raises where it stands for nothing."""
    module, _, attribute = name.rpartition(".")
    if importlib.util.find_spec(module) and hasattr(import_module(module), attribute):
        return getattr(import_module(module), attribute)
    return import_module(name)


# The public names of the library.


def test_every_name_of_rls_has_a_section() -> None:
    assert sections("rls.md") == {f"rls.{name}" for name in rls.__all__}


def test_every_name_of_mcp_server_has_a_section() -> None:
    assert sections("mcp-server.md") == {f"mcp_server.{name}" for name in mcp_server.__all__}


def test_every_setting_of_mcp_server_has_its_row() -> None:
    code = Path("mcp_server/configuration.py").read_text(encoding="utf-8")
    used = set(re.findall(r'getattr\(settings, "([A-Z_]+)"', code))

    assert used == {row[0].strip("`") for row in rows("mcp-server.md") if row[0].strip("`").isupper()}


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("models.md", classes_of(models)),
        ("middleware.md", classes_of(middleware)),
        ("operations.md", {f"rls.operations.{name}" for name in operations.__all__}),
        ("operations.md", {f"mcp_server.operations.{name}" for name in mcp_operations.__all__}),
    ],
)
def test_every_public_name_has_a_section(page: str, names: set[str]) -> None:
    assert names <= sections(page)


def test_no_section_names_what_is_gone() -> None:
    for page in REFERENCE.glob("*.md"):
        for name in sections(page.name):
            if name.startswith(("rls.", "mcp_server.")) and "(" not in name:
                assert resolve(name) is not None, f"{page}: {name}"


@pytest.mark.skipif(importlib.util.find_spec("rls.testing") is None, reason="there is no rls.testing")
def test_everything_for_tests_has_a_section() -> None:
    testing = import_module("rls.testing")

    assert {f"rls.testing.{name}" for name in testing.__all__} <= sections("testing.md")
    assert fixtures(Path("rls/testing/plugin.py")) == {name for name in sections("testing.md") if "." not in name}


def fixtures(path: Path) -> set[str]:
    """The fixtures that a plugin defines for others."""
    functions = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    return {
        node.name
        for node in functions
        if not node.name.startswith("_") and any("fixture" in ast.unparse(each) for each in node.decorator_list)
    }


# Settings, checks, commands.


def test_every_setting_has_a_section() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in Path("rls").glob("**/*.py"))
    used = set(re.findall(r"\b(RLS_[A-Z_]+|BASE_DIR|DATABASES|DATABASE_ROUTERS)\b", code))

    assert used <= sections("settings.md")
    assert {name for name in sections("settings.md") if name.startswith("RLS_")} <= used


def test_every_check_has_its_row() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in Path("rls").glob("**/*.py"))
    ids = set(re.findall(r'id="(rls\.[A-Z]\d{3})"', code))
    listed = [row[0].strip("`") for row in rows("checks.md") if row[0].startswith("`rls.")]

    assert len(ids) > 10
    assert listed == sorted(ids)


@cache
def subcommands(app: str = "rls", command: str = "rls") -> dict[str, Any]:
    """The parser of each `manage.py <command> <name>`."""
    parser = load_command_class(app, command).create_parser("manage.py", command)
    [action] = [each for each in parser._actions if isinstance(each, _SubParsersAction)]
    return dict(action.choices)


def test_every_command_of_mcp_has_its_row() -> None:
    listed = [row[0].strip("`").split()[0] for row in rows("mcp-server.md") if row[0].startswith("`")]

    assert [name for name in subcommands("mcp_server", "mcp") if name not in listed] == []


def test_every_command_has_a_section() -> None:
    others = {path.stem for path in Path("rls/management/commands").glob("[a-z]*.py")} - {"rls"}

    assert sections("commands.md") == {
        *(f"manage.py {name}" for name in others),
        *(f"manage.py rls {name}" for name in subcommands()),
    }


def test_every_option_stands_in_the_usage_of_its_command() -> None:
    for name, parser in subcommands().items():
        usage = next(line for line in read("commands.md").splitlines() if line.startswith(f"manage.py rls {name}"))
        options = {option for action in parser._actions for option in action.option_strings} - {"-h", "--help"}
        assert set(re.findall(r"--[a-z-]+", usage)) == options, name


def test_every_format_of_the_audit_has_its_row() -> None:
    listed = {row[0].split("`")[1] for row in rows("commands.md") if row[0].startswith("`")}

    assert set(reports.FORMATS) <= listed


# What the endpoints offer.


def test_the_page_of_tools_is_what_the_endpoints_publish() -> None:
    # A process of its own: the tools of tests.shop are in this one.
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "core.settings", "LANGUAGE_CODE": "zh-hant"}

    printed = programs.run(["manage.py", "mcp", "reference"], environment=environment)

    assert printed.stdout == read("tools.md"), "run `make reference` and commit what it writes"


# The database.


def test_every_audit_rule_has_its_row_in_its_own_words() -> None:
    listed = [row for row in rows("audit-rules.md") if row[0].isdigit()]

    assert listed == [
        [rule.number, f"`{rule.slug}`", rule.level.value, rule.problem, rule.fix] for rule in audit.rules()
    ]


def test_the_pages_say_how_many_rules_there_are() -> None:
    counted = {path: re.findall(r"\b(\d+) rules\b", path.read_text(encoding="utf-8")) for path in DOCUMENTS}
    counts = {count for found in counted.values() for count in found}

    assert counts == {str(len(audit.rules()))}, counted


def test_every_rule_that_can_be_declared_away_is_said_to_be() -> None:
    asking = {rule.slug for rule in audit.rules() if f"is_declared('{rule.slug}'" in rule.query}
    rights = {"grant-too-wide", "shared-undeclared"}
    listed = re.findall(r"`([a-z]+(?:-[a-z]+)+|published)`", read("audit-rules.md").partition("## What is intended")[2])

    assert set(listed) - rights == asking


def test_every_object_of_the_schema_app_has_a_section() -> None:
    sql = "\n".join(
        path.read_text(encoding="utf-8")
        for directory in ("rls/sql", "mcp_server", "migrations_sql")
        for path in Path(directory).glob("**/*.sql")
    )
    created = set(re.findall(r"CREATE (?:OR REPLACE )?(?:FUNCTION|TABLE|VIEW) (app\.\w+)", sql))

    assert {name for name in sections("sql-objects.md") if name.startswith("app.")} == {
        *created,
        "app.isolation_findings",  # InstallAudit makes it
    }


def test_the_roles_have_the_limits_that_are_written(admin: psycopg.Connection) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    live = {}
    for role, limit, settings in admin.execute(
        r"SELECT rolname, rolconnlimit, rolconfig FROM pg_roles WHERE rolname LIKE 'app\_%'"
    ):
        config = dict(each.split("=", 1) for each in settings)
        spaced = [re.sub(r"(\d)([a-z])", r"\1 \2", config.get(name, "none")) for name in names]
        live[f"`{role}`"] = [str(limit), *spaced]
    # Tests start more servers than this role allows: see tests/conftest.py.
    [made] = re.findall(r"WHEN 'app_platform' THEN (\d+)", Path("rls/sql/0000_roles.sql").read_text(encoding="utf-8"))
    live["`app_platform`"][0] = made

    assert {row[0]: row[2:] for row in rows("sql-objects.md") if row[0] in live and len(row) == 6} == live


# Links.


def slugs(path: Path) -> set[str]:
    """The anchors that a Markdown file has on its headings, as the usual renderers make them."""
    titles = [title for _, title in HEADING.findall(FENCED.sub("", path.read_text(encoding="utf-8")))]
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    for target in LINK.findall(FENCED.sub("", path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name) if name else path
        assert file.exists(), f"{path} links to {target}, which is not there"
        if anchor and file.suffix == ".md":
            assert anchor in slugs(file), f"{path} links to {target}, and {file} has no such heading"


def test_every_page_can_be_reached_from_the_index() -> None:
    index = Path("docs/README.md").read_text(encoding="utf-8") + read("README.md")
    pages = {path.name for path in Path("docs").glob("*/*.md")} - {"README.md"}
    decisions = {path.name for path in Path("docs/adr").glob("*.md")}

    assert {name for name in pages - decisions if f"{name})" not in index} == set()


def started_by_hand(text: str) -> list[str]:
    """The commands that start uvicorn, each on one line."""
    return re.findall(r"^uvicorn .+$", re.sub(r" *\\\n *", " ", text), re.MULTILINE)


def test_the_server_is_started_by_hand_as_the_module_says() -> None:
    """Of the code and of the guide: the same options."""
    module = ast.get_docstring(ast.parse(Path("core/asgi.py").read_text(encoding="utf-8"))) or ""
    guide = Path("docs/how-to/deploy.md").read_text(encoding="utf-8")

    assert len(started_by_hand(guide)) == 1
    assert started_by_hand(module) == started_by_hand(guide)


def test_the_table_of_contributing_names_what_is_there() -> None:
    named = re.findall(r"`([\w.]+/[\w./-]+)`", Path("CONTRIBUTING.md").read_text(encoding="utf-8"))

    assert [name for name in named if not Path(name).exists() and "NNNN" not in name] == []
