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
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from core.management.commands.quickstart import is_valid
from core.scopes import Scope
from mcp_server.tokens import tokens
from tests.support.processes import free_port
from tests.support.visitors import Visitor
from tests.support.world import World, working

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
# What a newcomer has not set; PYTHONUNBUFFERED would hide a banner that waits in a buffer.
OURS = ("SECRET_KEY", "DJANGO_SETTINGS_MODULE", "PYTHONUNBUFFERED")


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """A fresh copy of the project, where an unprivileged server can reach it."""
    place = Path(tempfile.mkdtemp(prefix="quickstart-"))
    place.chmod(0o711)
    for name in ("core", "rls", "mcp_server", "migrations_sql"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", place)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.endswith("DATABASE_URL") and key not in OURS}
    return kept | more


@contextmanager
def quickstart(project: Path, **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `manage.py quickstart`, and all that it printed until it was ready."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "quickstart"],
        cwd=project,
        env=environment(PORT=str(free_port())) | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    said = ""
    try:
        for line in process.stdout:
            said += line
            if line.startswith("Ctrl-C stops"):
                break
        yield process, said
    finally:
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=300)[0]


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
    assert first.returncode == 0
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
        process.terminate()
        process.wait(60)

    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def sentence(project: Path, code: int = 1, **more: str) -> str:
    """What a start that fails says last; 2 is the exit code of one that did not come as far as its command."""
    refused = subprocess.run(
        [sys.executable, "manage.py", "quickstart"],
        cwd=project,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == code
    assert "Traceback" not in refused.stderr
    [line] = [line for line in refused.stderr.strip().splitlines() if not line.startswith("{")]
    return line


def test_a_taken_port_is_one_sentence(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        said = sentence(project, PORT=str(taken.getsockname()[1]))

    assert "is taken: stop what listens there, or choose another with PORT=" in said


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "abc", "PORT is 'abc': set it to a whole number from 1 to 65535"),
        ("PORT", "0", "PORT is '0': set it to"),
        ("PORT", "70000", "PORT is '70000': set it to"),
        ("PORT", "", "PORT is '': set it to"),
        ("HOST", "", "HOST is empty: set it to an address of this machine"),
        ("HOST", "no host", "can't listen on no host:8000: "),
        ("HOST", "主..機", "it is no name of a host; choose another with HOST="),
        ("HOST", "192.0.2.1", "can't listen on 192.0.2.1:8000: Cannot assign requested address; choose another"),
    ],
)
def test_an_address_that_is_none_is_one_sentence(
    project: Path, database: str, name: str, value: str, words: str
) -> None:
    urls = {key: value for key, value in os.environ.items() if key.endswith("DATABASE_URL")}

    assert words in sentence(project, SECRET_KEY="x" * 32, **urls | {name: value})


@pytest.mark.parametrize("spoilt", ["a file", "secrets that are no JSON", "a directory for secrets"])
def test_a_place_that_cannot_be_used_is_one_sentence(project: Path, spoilt: str) -> None:
    local, kept = project / ".local", project / ".local.kept"
    with quickstart(project):
        pass
    local.rename(kept)
    if spoilt == "a file":
        local.touch()
    else:
        local.mkdir(mode=0o711)
        secrets = local / "secrets.json"
        secrets.mkdir() if spoilt.startswith("a directory") else secrets.write_text("{")
    try:
        said = sentence(project, code=2, PORT=str(free_port()))
    finally:
        local.unlink() if local.is_file() else shutil.rmtree(local)
        kept.rename(local)

    assert ".local is unusable (" in said
    assert said.endswith("): mend that, or move it away")


def test_a_full_disk_is_one_sentence(project: Path) -> None:
    local, kept = project / ".local", project / ".local.kept"
    local.rename(kept)
    try:
        refused = subprocess.run(
            [sys.executable, "-B", "manage.py", "quickstart"],
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000)),
            cwd=project,
            env=environment(PORT=str(free_port())),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(local, ignore_errors=True)
        kept.rename(local)

    assert refused.returncode == 2
    [line] = refused.stderr.strip().splitlines()
    assert "initdb failed in" in line
    assert line.endswith("mend that")


def test_ctrl_c_ends_a_server_that_was_started_where_it_is_ignored(project: Path) -> None:
    """Under nohup, or in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with quickstart(project) as (process, said):
            pass
    finally:
        signal.signal(signal.SIGINT, before)

    assert "Ready." in said
    assert process.returncode == 0


def test_nothing_is_cleaned_under_a_running_server(project: Path) -> None:
    shutil.copy(ROOT / "Makefile", project)
    clean = partial(subprocess.run, ["make", "-s", "clean"], cwd=project, capture_output=True, text=True, check=False)
    with quickstart(project):
        refused = clean()
        port = database_port(project)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) == 0
    there = (project / ".local").exists()
    cleaned = clean()

    assert refused.returncode
    assert "make clean: still in use by process" in refused.stderr
    assert there
    assert (cleaned.returncode, cleaned.stderr) == (0, "")
    assert not (project / ".local").exists()


def test_data_of_another_major_is_one_sentence(project: Path) -> None:
    version = project / ".local/postgres/data/PG_VERSION"
    with quickstart(project):
        pass
    kept = version.read_text()
    version.write_text("13\n")
    try:
        said = sentence(project, code=2, PORT=str(free_port()))
    finally:
        version.write_text(kept)

    assert "was made by PostgreSQL 13" in said


def test_a_database_that_does_not_answer_is_one_sentence(project: Path) -> None:
    nowhere = f"postgresql://app_tenant:x@127.0.0.1:{free_port()}/none?connect_timeout=1"
    urls = dict.fromkeys(["DATABASE_URL", "PLATFORM_DATABASE_URL"], nowhere)

    said = sentence(project, PORT=str(free_port()), SECRET_KEY="x" * 32, **urls)

    assert "the database does not answer" in said


def test_a_configured_database_wins(project: Path, database: str, admin: psycopg.Connection) -> None:
    urls = {key: value for key, value in os.environ.items() if key.endswith("DATABASE_URL")}

    with quickstart(project, SECRET_KEY="x" * 32, **urls) as (_, said):
        assert pasted(said)["isError"] is False
        assert admin.execute("SELECT count(*) FROM core_tenant").fetchone() == (2,)


def test_beside_tenants_of_its_own_nothing_is_made(
    project: Path, database: str, acme: World, admin: psycopg.Connection
) -> None:
    urls = {key: value for key, value in os.environ.items() if key.endswith("DATABASE_URL")}

    with quickstart(project, SECRET_KEY="x" * 32, **urls) as (_, said):
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
