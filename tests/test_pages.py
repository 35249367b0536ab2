"""Every block of the documents is done as it stands, in the order written, or says here why not."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import pytest

from tests.support.checkouts import Checkout, checkout
from tests.support.following import Reader, reading
from tests.support.pages import Block, blocks
from tests.support.processes import UVICORN, Process, connected, free_port, wait_until_ready
from tests.support.world import World

pytestmark = pytest.mark.slow

PAGES = sorted(
    str(page) for page in [*Path().glob("*.md"), *Path("docs").rglob("*.md"), *Path("examples").glob("*/*.md")]
)
HOW_TO = [page for page in PAGES if page.startswith(("README", "docs/how-to/"))]
LANGUAGES = {"python", "sh", "console", "sql", "ini", "yaml", "text"}
# What a file has that a block is a part of: `django-admin startproject` wrote it.
BEFORE = {
    "docs/how-to/let-people-sign-in.md": "INSTALLED_APPS, RLS_SHARED_MODELS, urlpatterns = [], {}, []\n",
    "docs/how-to/use-rls-alone.md": "INSTALLED_APPS = []\n",
}

# The pages that somebody follows in a checkout with its demo, below; and those that another file of tests follows.
SHOP_PAGES = [
    "README.md",
    "docs/how-to/add-a-model.md",
    "docs/how-to/add-a-tool.md",
    "docs/how-to/audit-with-psql.md",
    "docs/how-to/connect-a-client.md",
    "docs/how-to/keep-an-audit-trail.md",
    "docs/how-to/look-after-tenants.md",
    "docs/how-to/run-work-later.md",
    "docs/reference/audit-rules.md",
    "docs/reference/commands.md",
    "docs/reference/sql-objects.md",
]
FOLLOWED_BY = {
    "README.zh-Hant.md": "tests/test_readme_languages.py",
    "docs/how-to/add-a-resource.md": "tests/test_pages.py",
    "docs/how-to/back-up-and-restore.md": "tests/deploy/test_restore.py",
    "docs/how-to/deploy.md": "tests/deploy/test_restore.py",
    "docs/how-to/hand-out-tokens.md": "tests/examples/test_helpdesk.py",
    "docs/how-to/let-people-sign-in.md": "tests/mcp_server/sign_in/test_page.py",
    "docs/how-to/mount-in-your-project.md": "tests/examples/test_helpdesk.py",
    "docs/how-to/sign-in-with-your-identity-provider.md": "tests/mcp_server/oauth/test_page.py",
    "docs/how-to/use-rls-alone.md": "tests/rls/test_use_alone.py",
    "docs/how-to/use-the-audit-in-ci.md": "tests/deploy/test_restore.py",
    "examples/helpdesk/README.md": "tests/examples/test_helpdesk.py",
}
# Files of the helpdesk that a page quotes: tests/examples/test_helpdesk.py holds every word against them.
QUOTED = ("helpdesk/", "config/")

HEAVY = "It takes minutes, and runs when somebody asks for it."
CLAUDE = "It needs Claude Code. `make run` prints the line, and tests/mcp_server/test_quickstart.py looks at it."
# The blocks that nobody follows, by their page and how they begin, and why.
NOT_FOLLOWED = {
    ("CONTRIBUTING.md", "make lint test"): "It is this run of the tests.",
    ("CONTRIBUTING.md", "make test-fast "): "Each line is this run of the tests, or a part of it.",
    ("README.md", "claude mcp add "): CLAUDE,
    ("examples/helpdesk/README.md", "claude mcp add "): CLAUDE,
    ("docs/how-to/add-a-model.md", "from simple_history."): "It needs a package that is in no lock.",
    (
        "docs/how-to/deploy.md",
        '$ psql "$ADMIN_URL"',
    ): "tests/rls/test_managed.py has an administrator who is no superuser.",
    (
        "docs/how-to/deploy.md",
        "uvicorn ",
    ): "tests/support/processes.py starts its servers so, and test_docs.py compares.",
    ("docs/how-to/keep-answers.md", "from django.db"): "tests/mcp_server/test_caching.py has tools with such a line.",
    ("docs/how-to/keep-answers.md", "CACHES = {"): "tests/mcp_server/test_caching.py has such a Redis.",
    ("docs/how-to/keep-state.md", "from typing"): "tests/mcp_server/ledger/test_states.py has tools that keep a round.",
    (
        "docs/how-to/let-people-work-for-a-tenant.md",
        "python manage.py ",
    ): "tests/core/test_members.py and test_member_tokens.py call each of these commands.",
    (
        "docs/how-to/watch-it-in-grafana.md",
        "MCP_METRICS=9464 ",
    ): "tests/mcp_server/metrics/test_processes.py starts two workers so.",
    (
        "docs/how-to/watch-it-in-grafana.md",
        "pip install ",
    ): "tests/mcp_server/spans has an exporter of its own, and no test has a collector.",
    ("docs/how-to/use-the-audit-in-ci.md", "- run: "): "It is a step of somebody else's CI.",
    ("docs/how-to/hand-out-tokens.md", "from mcp_server.tokens import admin"): "core/admin.py does it for the shop.",
    ("docs/how-to/run-djangos-suite.md", "make test-django "): HEAVY,
    ("docs/reference/benchmarks.md", ".venv/bin/python -m benchmarks."): HEAVY,
    ("docs/reference/benchmarks.md", "make bench"): HEAVY,
}
if django.VERSION < (6, 0):
    NOT_FOLLOWED |= {
        ("docs/how-to/run-work-later.md", first): "It needs Django 6; tests/rls/test_django_tasks.py runs it there."
        for first in ("from django.tasks import task", "with tenant_context(acme):\n    result = export.enqueue")
    }


def is_left_out(block: Block) -> bool:
    return any(block.page == page and block.text.startswith(first) for page, first in NOT_FOLLOWED)


def to_follow(page: str) -> list[Block]:
    """The blocks of a page that somebody has to follow: those that are no text, no quotation, and not left out."""
    return [
        block
        for block in blocks(page)
        if block.language != "text"
        and not is_left_out(block)
        and not (block.file() or "").startswith(QUOTED)
        and not is_reference(block)
    ]


def is_reference(block: Block) -> bool:
    """Whether it shows how a name is written: its parameters, which a test holds against the name, or a line of use,
    which the tests of that name are full of.
    """
    return block.page.startswith("docs/reference/") and block.language == "python"


@pytest.mark.parametrize("page", PAGES)
def test_each_block_is_followed_or_says_why_not(page: str) -> None:
    unknown = [block.name for block in blocks(page) if block.language not in LANGUAGES]
    followed = {*SHOP_PAGES, *FOLLOWED_BY}

    assert not unknown, f"say what a block is, one of {', '.join(sorted(LANGUAGES))}: {unknown}"
    assert page in followed or not to_follow(page), (
        f"nobody follows {page}: add it to SHOP_PAGES, or the test that follows it to FOLLOWED_BY, "
        "or its block with a reason to NOT_FOLLOWED"
    )


def test_what_is_said_to_follow_a_page_does_and_nothing_is_left_out_twice() -> None:
    texts = [(page, block.text) for page in PAGES for block in blocks(page)]

    assert [page for page, test in FOLLOWED_BY.items() if Path(page).name not in Path(test).read_text()] == []
    assert [
        (page, first)
        for page, first in NOT_FOLLOWED
        if not any(page == at and text.startswith(first) for at, text in texts)
    ] == []


def test_make_knows_what_a_block_that_nobody_follows_asks_of_it() -> None:
    asked = {
        command.partition(" #")[0].strip()
        for page in PAGES
        for block in blocks(page)
        if is_left_out(block)
        for command in block.commands()
        if command.startswith("make ")
    }

    known = {
        command: subprocess.run(["sh", "-c", command.replace("make", "make -n", 1)], capture_output=True, check=False)
        for command in asked
    }

    assert len(asked) > 10
    assert [command for command, done in known.items() if done.returncode] == []


def parameters(block: Block) -> tuple[list[str], list[str]]:
    """The names that a block shows for what its heading names ("`rls.tenant_context`"), and those that it has."""
    module, _, attribute = block.heading.strip("`").rpartition(".")
    named = getattr(import_module(module), attribute)
    [shown] = ast.parse(f"def {block.text.strip().removeprefix('def ')}: ...").body
    assert isinstance(shown, ast.FunctionDef)
    real = inspect.signature(named if shown.name == attribute else getattr(named, shown.name)).parameters
    several = [shown.args.vararg] if shown.args.vararg else []
    arguments = [*shown.args.posonlyargs, *shown.args.args, *several, *shown.args.kwonlyargs]
    # Where the methods of a server put what they declare.
    return [each.arg for each in arguments], [name for name in real if name != "declared"]


def test_the_reference_gives_names_the_parameters_that_they_have() -> None:
    known = {}
    for page in PAGES:
        for block in filter(is_reference, blocks(page)):
            try:
                ast.parse(block.text)
            except SyntaxError:
                known[block.name] = parameters(block)

    assert len(known) > 12
    assert {name: both for name, both in known.items() if both[0] != both[1]} == {}


@pytest.fixture(scope="module")
def made() -> Iterator[Checkout]:
    """A checkout after its first `make run`, which each page gets a copy of."""
    with checkout() as project:
        with project.serving():
            pass
        yield project


# How many blocks of a page are followed before `make run` is started again.
BEFORE_THE_START = {"docs/how-to/add-a-tool.md": 1}
# What the page that comes first has done.
PREPARED = {"docs/how-to/look-after-tenants.md": ".venv/bin/python manage.py tenants create acme Acme"}
SUPERUSER = "DJANGO_SUPERUSER_PASSWORD=secret {} --noinput --username nina --email nina@shop.example"


@pytest.mark.parametrize("page", SHOP_PAGES)
def test_a_page_is_followed_in_a_checkout(page: str, made: Checkout) -> None:
    copy, followed = made.copy(made.path.parent / Path(page).stem), to_follow(page)
    with reading(copy.path, copy.environment()) as reader:
        first = BEFORE_THE_START.get(page, 0)
        for block in followed[:first]:
            reader.follow(block)
        with copy.serving() as served:
            prepare(reader, served)
            reader.shell.run(PREPARED.get(page, ":"))
            for block in followed[first:]:
                reader.follow(block)
            reader.finish()

    assert followed
    shutil.rmtree(copy.path)


def prepare(reader: Reader, served: Checkout) -> None:
    """Let the reader know what `make run` has printed, and the URLs that docs/how-to/audit-with-psql.md finds."""
    create = ".venv/bin/python manage.py createsuperuser"
    reader.replaced = {
        "tmcp_...": served.token,
        "127.0.0.1:8000": f"127.0.0.1:{served.port}",
        "01a2...": "01a20000-0000-7000-8000-000000000000",
    }
    reader.by_hand = {
        "make run": lambda: None,  # it is going
        "make test": lambda: None,  # it is this run
        create: lambda: reader.shell.run(SUPERUSER.format(create)),
    }
    [urls] = [block for block in blocks("docs/how-to/audit-with-psql.md") if block.text.startswith("url()")]
    reader.follow(urls)
    reader.shell.run("PLATFORM=$(url app_platform) OWNER=$(url app_owner)")


@pytest.mark.parametrize("page", HOW_TO)
def test_every_name_of_a_block_is_imported_or_made_above_it(page: str) -> None:
    written = "\n".join([BEFORE.get(page, ""), *(textwrap.dedent(block.text) for block in python_blocks(page))])
    command = ["ruff", "check", "--isolated", "--quiet", "--select", "F821", "--stdin-filename", "page.py", "-"]

    checked = subprocess.run(
        [sys.executable, "-m", *command], input=written, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, f"{page} does not run as it stands:\n{checked.stdout}"


def python_blocks(page: str) -> list[Block]:
    return [block for block in blocks(page) if block.language == "python"]


@contextmanager
def following(page: str, place: Path) -> Iterator[dict[str, Path]]:
    """A copy of the project in which the files of a page have been written as it says; `place` is where."""
    for name in ("core", "rls", "mcp_server", "migrations_sql"):
        shutil.copytree(name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("manage.py", place)
    written = {}
    for block in python_blocks(page):
        if (name := block.file()) and "/mcp_tools/" in name:
            (place / name).write_text(block.text, encoding="utf-8")
            written[name] = place / name
    yield written


@contextmanager
def served(place: Path, log: Path) -> Iterator[Process]:
    """The copy, as an operator starts it, on the database of this test run."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "core.asgi:application", "--port", str(port), *UVICORN]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "core.settings", "PYTHONPATH": str(place)}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=place, env=environment, stdout=output, stderr=output)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/healthz", lambda: process.poll() is not None, log)
        yield Process(f"http://127.0.0.1:{port}", log, "", process.pid)
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(
    ("page", "files", "offered"),
    [
        ("README.md", 1, {"count_products"}),
        ("docs/how-to/add-a-tool.md", 2, {"count_products", "rename_product"}),
        ("docs/how-to/add-a-resource.md", 2, {"customer://{email}", "reorder_plan"}),
    ],
)
def test_what_a_page_writes_is_served(
    page: str, files: int, offered: set[str], acme: World, database: str, tmp_path: Path
) -> None:
    async def story(server: Process) -> tuple[set[str], dict[str, Any]]:
        async with connected(server.mcp("acme"), acme.token) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            names |= {each.uri_template for each in (await client.list_resource_templates()).resource_templates}
            names |= {prompt.name for prompt in (await client.list_prompts()).prompts}
            answers: dict[str, Any] = {}
            if "count_products" in names:
                answers["count_products"] = await client.call_tool("count_products", {})
            if "rename_product" in names:
                answers["rename_product"] = await client.call_tool("rename_product", {"sku": "A-1", "name": "Feather"})
            if "reorder_plan" in names:
                answers["reorder_plan"] = await client.get_prompt("reorder_plan", {})
                answers["customer"] = await client.read_resource("customer://wile@acme.example")
            return names, answers

    with (
        following(page, tmp_path / "project") as written,
        served(tmp_path / "project", tmp_path / "log") as server,
    ):
        names, answers = asyncio.run(story(server))

    assert len(written) == files
    assert offered <= names
    assert not [name for name, answer in answers.items() if getattr(answer, "is_error", False)]
    if "count_products" in answers:
        assert answers["count_products"].content[0].text == "count: 1"
    if "rename_product" in answers:
        assert answers["rename_product"].content[0].text == "A-1 is Feather now"
    if "customer" in answers:
        assert '"number":1,' in answers["customer"].contents[0].text
