"""The helpdesk, a project of somebody else, started as its README says on the wheel of this checkout."""

from __future__ import annotations

import ast
import asyncio
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django import conf
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult

from tests.support.pages import blocks
from tests.support.processes import ERAS, Era, connected, free_port, wait_until_ready

pytestmark = pytest.mark.slow

SOURCE = Path("examples/helpdesk")
TENANTS = ("acme", "globex")
SUBJECTS = {
    "acme": ["A new password, please", "The printer prints in green"],
    "globex": ["The lift stops between two floors"],
}


@dataclass(frozen=True, slots=True)
class Helpdesk:
    """The project as it runs: where its files are, its address, and a token of each organisation."""

    path: Path
    url: str
    tokens: dict[str, str]

    def mcp(self, slug: str) -> str:
        return f"{self.url}/mcp/{slug}/"

    def python(self, *arguments: str) -> str:
        """What a program of the project prints, in its own environment."""
        command = [self.path / ".venv/bin/python", *arguments]
        done = subprocess.run(
            command, cwd=self.path, env=environment(), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def environment() -> dict[str, str]:
    """This process's, without what the tests have set for this repository's own project."""
    ours = ("PYTEST", "PYTHON", "TEST_", "DJANGO", "PG", "SECRET_KEY", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours) and "DATABASE" not in name}


def install(wheel: Path, project: Path) -> None:
    """What the first start of `run` does, without a download: the wheel, beside the packages that are here already."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    python = project / ".venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True)
    [packages] = (project / ".venv/lib").glob("python*/site-packages")
    (packages / "here.pth").write_text(sysconfig.get_path("purelib"))
    (project / ".venv/installed").touch()


@pytest.fixture(scope="module")
def helpdesk(wheel: Path) -> Iterator[Helpdesk]:
    """A copy of the example beside a `dist/` with the wheel, started by its `run`."""
    # Not pytest's directory: root's PostgreSQL runs as another user, who can't enter that one.
    root = Path(tempfile.mkdtemp(prefix="helpdesk-"))
    root.chmod(0o755)
    project = root / "examples/helpdesk"
    shutil.copytree(SOURCE, project, ignore=shutil.ignore_patterns(".venv", ".local", "__pycache__"))
    (root / "dist").mkdir()
    install(Path(shutil.copy(wheel, root / "dist")), project)
    port, log = free_port(), root / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [project / "run"], env=environment() | {"PORT": str(port)}, stdout=output, stderr=output, cwd="/"
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/", lambda: process.poll() is not None, log)
        yield Helpdesk(
            project, f"http://127.0.0.1:{port}", dict(re.findall(r"/mcp/(\w+)/\s+(tmcp_\S+)", log.read_text()))
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(root, ignore_errors=True)


def talk(helpdesk: Helpdesk, slug: str, story: Callable[[Client], Any], era: Era = "2026-07-28", **options: Any) -> Any:
    """What `story` gives, told by the official client at the endpoint of an organisation."""

    async def told() -> Any:
        async with connected(helpdesk.mcp(slug), helpdesk.tokens[slug], era, **options) as client:
            return await story(client)

    return asyncio.run(told())


def call(helpdesk: Helpdesk, slug: str, name: str, era: Era = "2026-07-28", **arguments: Any) -> Any:
    return talk(helpdesk, slug, lambda client: client.call_tool(name, arguments), era)


def opened(helpdesk: Helpdesk, slug: str, subject: str) -> str:
    """The id of a new ticket."""
    result = call(helpdesk, slug, "open_ticket", subject=subject, text="Please help.")
    assert not result.is_error, result
    return str(result.structured_content["id"])


def tickets(result: Any) -> list[dict[str, Any]]:
    """The tickets of a list, as the structured content has them."""
    assert not result.is_error, result
    return list(result.structured_content["result"])


# Isolation.


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("slug", TENANTS)
def test_an_organisation_sees_its_own_tickets(helpdesk: Helpdesk, slug: str, era: Era) -> None:
    result = call(helpdesk, slug, "open_tickets", era)

    subjects = {ticket["subject"] for ticket in tickets(result)}
    assert set(SUBJECTS[slug]) <= subjects
    assert not subjects & {subject for other in TENANTS if other != slug for subject in SUBJECTS[other]}
    assert all(subject in result.content[0].text for subject in SUBJECTS[slug])


@pytest.mark.parametrize("era", ERAS)
def test_a_ticket_of_another_organisation_does_not_exist(helpdesk: Helpdesk, era: Era) -> None:
    theirs = opened(helpdesk, "globex", "Of Globex alone")

    result = call(helpdesk, "acme", "show_ticket", era, ticket=theirs)

    assert result.is_error
    assert result.content[0].text == f"There is no ticket {theirs}. Call open_tickets to see those that are open."
    assert not call(helpdesk, "globex", "show_ticket", era, ticket=theirs).is_error


def test_a_token_is_of_no_use_at_another_url(helpdesk: Helpdesk) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "open_tickets", "arguments": {}}}
    for slug, there, status in [("acme", "acme", 200), ("acme", "globex", 401), ("acme", "nobody", 401)]:
        headers = {"Authorization": f"Bearer {helpdesk.tokens[slug]}", "Accept": "application/json"}

        answer = httpx2.post(helpdesk.mcp(there), json=body, headers=headers)

        assert answer.status_code == status
        assert "lift" not in answer.text


def test_the_platform_has_no_endpoint_here(helpdesk: Helpdesk) -> None:
    assert httpx2.post(f"{helpdesk.url}/mcp/", json={}).status_code == 404


def test_its_audit_is_green(helpdesk: Helpdesk) -> None:
    assert helpdesk.python("manage.py", "rls", "audit").rstrip().endswith("audit: green")
    helpdesk.python("manage.py", "check", "--fail-level", "WARNING")
    assert "No changes detected" in helpdesk.python("manage.py", "makemigrations", "--check", "--dry-run")


# Its tools.


@pytest.mark.parametrize("era", ERAS)
def test_a_ticket_is_opened_answered_and_closed(helpdesk: Helpdesk, era: Era) -> None:
    subject = f"The door squeaks ({era})"
    ticket = opened(helpdesk, "acme", subject)

    answered = call(helpdesk, "acme", "comment", era, ticket=ticket, agent="ada@acme.example", text="Oil it.")
    closed = call(helpdesk, "acme", "close_ticket", era, ticket=ticket)

    assert [each["text"] for each in answered.structured_content["comments"]] == ["Oil it."]
    assert closed.structured_content["status"] == "closed"
    assert subject not in [each["subject"] for each in tickets(call(helpdesk, "acme", "open_tickets", era, limit=100))]


def test_an_agent_of_another_organisation_does_not_exist(helpdesk: Helpdesk) -> None:
    ticket = opened(helpdesk, "acme", "Who answers?")

    result = call(helpdesk, "acme", "comment", ticket=ticket, agent="ada@globex.example", text="I do.")

    assert result.is_error
    assert result.content[0].text == ("No agent has the e-mail ada@globex.example. The agents are: ada@acme.example.")


@pytest.mark.parametrize(("agrees", "status"), [(True, "closed"), (False, "open")])
def test_closing_an_unanswered_ticket_asks_a_person(helpdesk: Helpdesk, agrees: bool, status: str) -> None:
    ticket, asked = opened(helpdesk, "acme", "Never answered"), []

    async def person(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"confirm": agrees})

    talk(
        helpdesk,
        "acme",
        lambda client: client.call_tool("close_ticket", {"ticket": ticket}),
        elicitation_callback=person,
    )

    assert asked == ["Nobody has answered 'Never answered'. Close it all the same?"]
    assert call(helpdesk, "acme", "show_ticket", ticket=ticket).structured_content["status"] == status


def test_a_client_that_cannot_ask_takes_two_steps(helpdesk: Helpdesk) -> None:
    ticket = opened(helpdesk, "acme", "Never answered")

    refused = call(helpdesk, "acme", "close_ticket", "legacy", ticket=ticket)
    tried = call(helpdesk, "acme", "close_ticket", "legacy", ticket=ticket, dry_run=True)
    [confirmation] = re.findall(r"confirmation=(\S+?)\.?$", tried.content[0].text, re.MULTILINE)
    done = call(helpdesk, "acme", "close_ticket", "legacy", ticket=ticket, confirmation=confirmation)

    assert refused.is_error
    assert "Nobody has answered" in tried.content[0].text
    assert not done.is_error
    assert call(helpdesk, "acme", "show_ticket", ticket=ticket).structured_content["status"] == "closed"


@pytest.mark.parametrize("era", ERAS)
def test_a_ticket_is_a_resource_and_the_open_ones_are_in_a_prompt(helpdesk: Helpdesk, era: Era) -> None:
    ticket = opened(helpdesk, "globex", f"To be read ({era})")

    read = talk(helpdesk, "globex", lambda client: client.read_resource(f"ticket://{ticket}"), era)
    prompt = talk(helpdesk, "globex", lambda client: client.get_prompt("triage"), era)

    assert "Please help." in read.contents[0].text
    assert f"To be read ({era}) ({ticket})" in prompt.messages[0].content.text
    assert "printer" not in prompt.messages[0].content.text


@pytest.mark.parametrize("era", ERAS)
def test_a_resource_that_is_not_there_says_so(helpdesk: Helpdesk, era: Era) -> None:
    theirs = opened(helpdesk, "globex", "Not to be read elsewhere")

    async def refusal(client: Client, ticket: str) -> str:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(f"ticket://{ticket}")
        return caught.value.message

    for ticket in (theirs, "nonsense"):
        said = talk(helpdesk, "acme", partial(refusal, ticket=ticket), era)
        assert said.startswith(f"There is no ticket {ticket}. Call open_tickets")


def test_a_change_leaves_an_event_of_its_organisation(helpdesk: Helpdesk) -> None:
    opened(helpdesk, "acme", "On record")
    code = (
        "import rls; from helpdesk.models import Organisation; from mcp_server.ledger.models import AuditEvent\n"
        "with rls.platform_context(actor='tests', reason='look'):\n"
        "    found = AuditEvent.objects.filter(details__subject='On record')\n"
        "    print([(e.tenant.slug, e.action, e.actor, e.subject) for e in found.select_related('tenant')])"
    )

    said = helpdesk.python("manage.py", "shell", "-c", code)

    assert "('acme', 'open_ticket', 'demo', 'subject On record" in said
    assert "globex" not in said


# What it is made of.


def test_it_stands_on_the_wheel_alone(helpdesk: Helpdesk) -> None:
    said = helpdesk.python("-c", "import mcp_server, rls; print(mcp_server.__file__, rls.__file__)")

    assert all(path.startswith(str(helpdesk.path / ".venv")) for path in said.split())
    assert "None" in helpdesk.python("-c", "from importlib.util import find_spec; print(find_spec('core'))")


def test_the_readme_starts_it_with_two_commands() -> None:
    [commands, _] = [block.commands() for block in blocks(SOURCE / "README.md") if block.language == "sh"]

    assert [line.partition("#")[0].strip() for line in commands] == ["make wheel", "examples/helpdesk/run"]


# A file of the example, as pages name it.
FILE = re.compile(r"`((?:config|helpdesk)/[\w/]+\.py)`")


@pytest.mark.parametrize(
    ("page", "files"),
    [
        ("README.md", {"config/asgi.py", "helpdesk/mcp_tools.py"}),
        ("docs/how-to/mount-in-your-project.md", {"config/asgi.py", "helpdesk/mcp_tools.py"}),
        ("docs/how-to/hand-out-tokens.md", {"config/settings.py", "helpdesk/migrations/0006_endpoint.py"}),
    ],
)
def test_a_page_quotes_it_word_by_word(page: str, files: set[str]) -> None:
    quoted = []
    for section in re.split(r"^## ", Path(page).read_text(), flags=re.MULTILINE):
        for block in re.finditer(r"```python\n(.*?)```", section, re.DOTALL):
            if names := FILE.findall(section, 0, block.start()):
                # Lines of the file, in its order: what lies between them may be left out.
                rest = iter((SOURCE / names[-1]).read_text().splitlines())
                missing = [line for line in block[1].splitlines() if line and line not in rest]
                assert not missing, f"{page} quotes {names[-1]} with other words: {missing[0]}"
                quoted.append(names[-1])

    assert files <= set(quoted)


@pytest.mark.parametrize("page", ["docs/how-to/hand-out-tokens.md", "docs/how-to/mount-in-your-project.md"])
def test_the_commands_of_a_page_do_what_they_say(page: str, helpdesk: Helpdesk) -> None:
    """But for the first of all, which installs what is installed here, and the one that serves, which `run` is."""
    served, minted = "python -m mcp_server", ""
    for block in (block for block in blocks(page) if block.language == "sh" and "pip install" not in block.text):
        for command in block.commands():
            if command != served:
                said = helpdesk.python(*shlex.split(command.replace("<id>", minted))[1:])
                minted = next(iter(re.findall(r"^([0-9a-f-]{36})\s.*laptop", said, re.MULTILINE)), minted)

    assert "development.py" in (SOURCE / "run").read_text()
    assert '"mcp_server", run_name="__main__"' in (SOURCE / "development.py").read_text()


# What it takes.

# Tokens that are no code.
BLANK = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def code(text: str) -> list[str]:
    """The lines of a module that are neither blank, nor a comment, nor a docstring."""
    documented = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    strings = [node.body[0] for node in documented if ast.get_docstring(node, clean=False) is not None]
    prose = {line for string in strings for line in range(string.lineno, (string.end_lineno or 0) + 1)}
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    numbers = {line for token in found if token.type not in BLANK for line in range(token.start[0], token.end[0] + 1)}
    lines = text.splitlines()
    return [lines[number - 1] for number in sorted(numbers - prose)]


def mounting() -> list[str]:
    """The lines that are there for the endpoint: not those of the models, of the tools, or of any Django project."""
    template = Path(conf.__path__[0], "project_template/project_name/asgi.py-tpl").read_text()
    anybody = set(code(template.replace("{{ project_name }}", "config").replace("'", '"')))
    files = ("config/asgi.py", "helpdesk/migrations/0006_endpoint.py")
    written = [line for name in files for line in code((SOURCE / name).read_text()) if line not in anybody]
    return [
        *written,
        *(line for line in code((SOURCE / "config/settings.py").read_text()) if re.search("mcp_|ASGI_", line)),
    ]


def test_the_page_says_how_many_lines_the_endpoint_takes() -> None:
    page = Path("docs/how-to/mount-in-your-project.md").read_text()
    tools = code((SOURCE / "helpdesk/mcp_tools.py").read_text())

    assert len(mounting()) <= 20
    assert f"**{len(mounting())} lines**" in page, "\n".join(mounting())
    assert f"{len(tools)} lines of `helpdesk/mcp_tools.py`" in page
