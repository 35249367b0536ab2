"""`make run`, as a newcomer has it: a copy of the project, nothing configured, a database of its own."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from core.management.commands.quickstart import is_valid
from core.scopes import Scope
from mcp_server.tokens import tokens
from tests.support import programs
from tests.support.processes import free_port
from tests.support.programs import Conversation
from tests.support.visitors import Visitor
from tests.support.world import World, working

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
# What a newcomer has not set; PYTHONUNBUFFERED would hide a banner that waits in a buffer.
OURS = ("SECRET_KEY", "DJANGO_SETTINGS_MODULE", "PYTHONUNBUFFERED")


QUICKSTART = ["manage.py", "quickstart"]


@contextmanager
def a_copy() -> Iterator[Path]:
    """A fresh copy of the project, where an unprivileged server can reach it."""
    place = Path(tempfile.mkdtemp(prefix="quickstart-"))
    place.chmod(0o711)
    for name in ("core", "rls", "mcp_server", "migrations_sql"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("manage.py", "Makefile"):
        shutil.copy(ROOT / name, place)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """A copy of the project, which has its database from the first start on."""
    with a_copy() as place:
        yield place


@pytest.fixture(scope="module")
def untouched() -> Iterator[Path]:
    """A copy of the project in which nothing has been started, and nothing will."""
    with a_copy() as place:
        yield place


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.endswith("DATABASE_URL") and key not in OURS}
    return kept | more


def database_urls() -> dict[str, str]:
    """What names the database of this test run: nothing is started for it."""
    return {key: value for key, value in os.environ.items() if key.endswith("DATABASE_URL")} | {"SECRET_KEY": "x" * 32}


@contextmanager
def quickstart(project: Path, **more: str) -> Iterator[tuple[Conversation, str]]:
    """A running `manage.py quickstart`, and all that it printed until it was ready."""
    given = environment(PORT=str(free_port())) | more
    with Conversation(QUICKSTART, project / "errors", cwd=project, environment=given) as process:
        try:
            yield process, "".join(until_ready(line.decode() for line in process.stdout))
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            process.wait(300)


def until_ready(lines: Iterable[str]) -> Iterator[str]:
    """The lines up to the last one of the banner."""
    for line in lines:
        yield line
        if line.startswith("Ctrl-C stops"):
            return


def pasted(said: str) -> dict[str, object]:
    """What the printed curl line answers, run as it was printed."""
    command = said[said.index("  curl -s") :].split("\n\n", maxsplit=1)[0].replace("\\\n", " ")
    answer = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout)["result"])


def database_port(project: Path) -> int:
    return int((project / ".local/postgres/data/postmaster.pid").read_text().splitlines()[3])


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_what_is_printed_works_and_a_second_start_reuses_it(project: Path) -> None:
    with quickstart(project) as (first, said):
        answer = pasted(said)
        port = database_port(project)
    with quickstart(project) as (_, again):
        reused = pasted(again)

    assert "測試租戶1 (test1) - 啟用 - 3 用戶" in answer["content"][0]["text"]  # type: ignore[index]
    assert reused == answer
    assert set(re.findall(r"tmcpp?_[\w-]{43}", said)) == set(re.findall(r"tmcpp?_[\w-]{43}", again))
    assert len(set(re.findall(r"/mcp/(test\d)/", said))) == 2
    assert "claude mcp add --transport http test1 http://127.0.0.1:" in said
    block = json.loads(said[said.index("{\n") : said.index("Call a tool")])
    assert block["mcpServers"]["test2"]["headers"]["Authorization"].startswith("Bearer tmcp_")
    assert first.poll() == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_secrets_are_for_this_user_alone(project: Path) -> None:
    with quickstart(project):
        kept = project / ".local/secrets.json"

        assert kept.stat().st_mode & 0o777 == 0o600
        assert not any(
            line in (project / ".local/provisioned").read_text() for line in json.loads(kept.read_text()).values()
        )
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://app_tenant@127.0.0.1:{database_port(project)}/tenants")


def test_a_termination_stops_the_database_too(project: Path) -> None:
    with quickstart(project) as (process, _):
        port = database_port(project)
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def sentence(project: Path, code: int = 1, **more: str) -> str:
    """What a start that fails says last; 2 is the exit code of one that did not come as far as its command."""
    refused = programs.run(QUICKSTART, cwd=project, environment=environment(**more))
    assert refused.returncode == code
    return last_line(refused.stderr)


def last_line(said: str) -> str:
    assert "Traceback" not in said
    [line] = [line for line in said.strip().splitlines() if not line.startswith("{")]
    return line


def test_a_taken_port_is_one_sentence(untouched: Path, database: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        said = sentence(untouched, PORT=str(taken.getsockname()[1]), **database_urls())

    assert "is taken: stop what listens there, or choose another with PORT=" in said


ADDRESSES = [
    ("PORT", "abc", "PORT is 'abc': set it to a whole number from 1 to 65535"),
    ("PORT", "0", "PORT is '0': set it to"),
    ("PORT", "70000", "PORT is '70000': set it to"),
    ("PORT", "", "PORT is '': set it to"),
    ("HOST", "", "HOST is empty: set it to an address of this machine"),
    ("HOST", "no host", "can't listen on no host:8000: "),
    ("HOST", "主..機", "it is no name of a host; choose another with HOST="),
    ("HOST", "192.0.2.1", "can't listen on 192.0.2.1:8000: Cannot assign requested address; choose another"),
]
# Starts again and again, in one process: an address is looked at before anything is made.
STARTS = """
import contextlib, io, json, os, runpy, sys

sys.argv, found, untouched = ["manage.py", "quickstart"], [], dict(os.environ)
for name, value in json.loads(sys.stdin.read()):
    os.environ.clear()
    os.environ.update(untouched | {name: value})
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            runpy.run_path("manage.py", run_name="__main__")
    except SystemExit as ended:
        found.append([ended.code, said.getvalue()])
print(json.dumps(found))
"""


def test_an_address_that_is_none_is_one_sentence(untouched: Path, database: str, tmp_path: Path) -> None:
    given = tmp_path / "addresses"
    given.write_text(json.dumps([[name, value] for name, value, _ in ADDRESSES]))

    with Conversation(
        ["-c", STARTS],
        tmp_path / "errors",
        cwd=untouched,
        environment=environment(**database_urls()),
        input_file=given,
    ) as starts:
        answers = json.loads(starts.stdout.read())

    for (name, value, words), (code, said) in zip(ADDRESSES, answers, strict=True):
        assert (name, value, code) == (name, value, 1)
        assert words in last_line(said)


@pytest.mark.parametrize("spoilt", ["a file", "secrets that are no JSON", "a directory for secrets"])
def test_a_place_that_cannot_be_used_is_one_sentence(untouched: Path, spoilt: str) -> None:
    local = untouched / ".local"
    if spoilt == "a file":
        local.touch()
    else:
        local.mkdir(mode=0o711)
        secrets = local / "secrets.json"
        secrets.mkdir() if spoilt.startswith("a directory") else secrets.write_text("{")
    try:
        said = sentence(untouched, code=2, PORT=str(free_port()))
    finally:
        local.unlink() if local.is_file() else shutil.rmtree(local)

    assert ".local is unusable (" in said
    assert said.endswith("): mend that, or move it away")


def test_a_full_disk_is_one_sentence(untouched: Path) -> None:
    try:
        refused = subprocess.run(
            [sys.executable, "-B", *QUICKSTART],
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000)),
            cwd=untouched,
            env=environment(PORT=str(free_port())),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(untouched / ".local", ignore_errors=True)

    assert refused.returncode == 2
    [line] = refused.stderr.strip().splitlines()
    assert "initdb failed in" in line
    assert line.endswith("mend that")


def test_ctrl_c_ends_a_server_that_was_started_where_it_is_ignored(project: Path) -> None:
    """Under nohup, or in the background of a script: what is ignored there is ignored in its children."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            [sys.executable, *QUICKSTART],
            cwd=project,
            env=environment(PORT=str(free_port())),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout
    said = "".join(until_ready(process.stdout))

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)

    assert "Ready." in said
    assert process.returncode == 0


def test_nothing_is_cleaned_under_a_running_server(project: Path) -> None:
    clean = partial(subprocess.run, ["make", "-s", "clean"], cwd=project, capture_output=True, text=True, check=False)
    with quickstart(project):
        refused = clean()
        port = database_port(project)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) == 0
    there, kept = project / ".local", project.with_name(f"{project.name}-kept")
    subprocess.run(["cp", "-a", there, kept], check=True)
    cleaned = clean()
    is_gone = not there.exists()
    kept.rename(there)

    assert refused.returncode
    assert "make clean: still in use by process" in refused.stderr
    assert (cleaned.returncode, cleaned.stderr) == (0, "")
    assert is_gone


def test_data_of_another_major_is_one_sentence(untouched: Path) -> None:
    data = untouched / ".local/postgres/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("13\n")
    try:
        said = sentence(untouched, code=2, PORT=str(free_port()))
    finally:
        shutil.rmtree(untouched / ".local")

    assert "was made by PostgreSQL 13" in said


def test_a_database_that_does_not_answer_is_one_sentence(untouched: Path) -> None:
    nowhere = f"postgresql://app_tenant:x@127.0.0.1:{free_port()}/none?connect_timeout=1"
    urls = dict.fromkeys(["DATABASE_URL", "PLATFORM_DATABASE_URL"], nowhere)

    said = sentence(untouched, PORT=str(free_port()), SECRET_KEY="x" * 32, **urls)

    assert "the database does not answer" in said


def test_a_configured_database_wins(untouched: Path, database: str, admin: psycopg.Connection) -> None:
    with quickstart(untouched, **database_urls()) as (_, said):
        assert pasted(said)["isError"] is False
        assert admin.execute("SELECT count(*) FROM core_tenant").fetchone() == (2,)


def test_beside_tenants_of_its_own_nothing_is_made(
    untouched: Path, database: str, acme: World, admin: psycopg.Connection
) -> None:
    with quickstart(untouched, **database_urls()) as (_, said):
        assert "The database has tenants of its own" in said

    assert "tmcp" not in said
    assert admin.execute("SELECT count(*) FROM core_tenant").fetchone() == (1,)
    assert admin.execute("SELECT count(*) FROM mcp_tokens_platformtoken").fetchone() == (0,)


def test_a_token_that_lacks_a_scope_is_replaced(acme: World) -> None:
    with working():
        narrow = tokens.create(name="old", slug="acme", scopes=[Scope.TENANTS_READ])

    assert is_valid(acme.token, "acme")
    assert not is_valid(narrow, "acme")


def test_a_person_signs_in_where_oauth_is_on(project: Path) -> None:
    printed = []
    for _ in range(2):
        with quickstart(project, MCP_AUTH="sign-in") as (_, said):
            url = re.findall(r"http://127\.0\.0\.1:\d+", said)[0]
            [password] = re.findall(r"demo, password (\S+): owner of test1, viewer in test2", said)
            with Visitor(url) as visitor:
                visitor.open(f"{url}/sign-in?next=/").sign_in("demo", password)
                assert visitor.page is not None
                assert visitor.page.url.path == "/"
        printed.append(password)

    assert printed[0] == printed[1]
    assert "claude mcp add --transport http test1 http://127.0.0.1:" in said.partition("opens a page")[2]


def test_make_says_so_by_one_variable() -> None:
    for words, is_on in [(["OAUTH=1"], True), (["OAUTH=0"], False), ([], False)]:
        told = subprocess.run(
            ["make", "-n", "run", *words], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout

        assert ("MCP_AUTH=sign-in" in told) is is_on
