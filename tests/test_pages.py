"""The blocks of README and of docs/how-to run as they stand, in the order written."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.pages import Block, blocks
from tests.support.processes import UVICORN, Process, connected, free_port, wait_until_ready
from tests.support.world import World

pytestmark = pytest.mark.slow

PAGES = [Path("README.md"), *sorted(Path("docs/how-to").glob("*.md"))]
# A file of the shop that the paragraph before a block names, and the words by which it is a new one.
NAMED = re.compile(r"`(core/[\w/]+\.py)`")
NEW = "new file, `"
# What the file has that a block is a part of: `django-admin startproject` wrote it.
BEFORE = {"docs/how-to/use-rls-alone.md": "INSTALLED_APPS = []\n"}


def python_blocks(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language == "python"]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_name_of_a_block_is_imported_or_made_above_it(page: Path) -> None:
    written = "\n".join([BEFORE.get(str(page), ""), *(block.text for block in python_blocks(page))])
    command = ["ruff", "check", "--isolated", "--quiet", "--select", "F821", "--stdin-filename", "page.py", "-"]

    checked = subprocess.run(
        [sys.executable, "-m", *command], input=written, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, f"{page} does not run as it stands:\n{checked.stdout}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_file_that_a_page_writes_is_not_there_already(page: Path) -> None:
    """Who follows the page would lose what stands in it."""
    for block in python_blocks(page):
        for name in NAMED.findall(block.before):
            if f"{NEW}{name}" in block.before:
                assert not Path(name).exists(), f"{page} writes {name}, which is there: name another file"
            else:
                assert not block.before.endswith(":") or not Path(name).exists() or "add" in block.before.lower(), (
                    f'{page} shows a block for {name}, which is there: say "Add to {name}", or name a new file'
                )


@contextmanager
def following(page: Path, place: Path) -> Iterator[dict[str, Path]]:
    """A copy of the project in which the files of a page have been written as it says; `place` is where."""
    for name in ("core", "rls", "mcp_server", "migrations_sql"):
        shutil.copytree(name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("manage.py", place)
    written = {}
    for block in python_blocks(page):
        for name in NAMED.findall(block.before):
            if f"{NEW}{name}" in block.before and "/mcp_tools/" in name:
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
        following(Path(page), tmp_path / "project") as written,
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
