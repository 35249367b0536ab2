"""`manage.py mcp stdio` ends when its client does, and when it is told to; a change that runs is done, or is not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.mcp_server.test_cancelling import MODERN, RESTOCK, SLEEP, Stdio, stock, traces
from tests.support import programs
from tests.support.held import (
    ASLEEP,
    IN_COMMIT,
    LONG,
    ON_A_ROW,
    commits_held,
    end_sessions,
    products_locked,
    sessions,
    until,
)
from tests.support.postgres import Server
from tests.support.proxy import Proxy
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

SIGNALS = [signal.SIGINT, signal.SIGTERM]
COMMAND = ["manage.py", "mcp", "stdio", "--tenant", "acme"]
NAMES = {"shop_names": {"name": "shop_names", "arguments": {}}}


@pytest.fixture(params=[None, MODERN], ids=["legacy", "2026-07-28"])
def stdio(request: pytest.FixtureRequest, acme: World, tmp_path: Path) -> Iterator[Stdio]:
    with Stdio(acme, tmp_path / "log", request.param).running() as process:
        assert process.call(NAMES["shop_names"], 2).result(LONG)
        yield process


def end(stdio: Stdio, by: signal.Signals | None) -> int:
    """End it by a signal, or by the end of its input; its exit code."""
    tell(stdio, by)
    return stdio.process.wait(LONG)


def tell(stdio: Stdio, by: signal.Signals | None) -> None:
    if by is None:
        assert stdio.process.stdin
        stdio.process.stdin.close()
    else:
        stdio.process.send_signal(by)


def code_of(by: signal.Signals | None) -> int:
    return 0 if by is None else 128 + by


@pytest.mark.parametrize("by", [None, *SIGNALS])
def test_it_ends_while_nothing_runs(by: signal.Signals | None, stdio: Stdio, tmp_path: Path) -> None:
    assert end(stdio, by) == code_of(by)
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("by", [None, *SIGNALS])
def test_a_change_that_waits_is_rolled_back(
    by: signal.Signals | None, stdio: Stdio, acme: World, admin: psycopg.Connection, tmp_path: Path
) -> None:
    with products_locked(admin):
        stdio.call(RESTOCK)
        until(lambda: sessions(admin, stdio.name, ON_A_ROW))

        assert end(stdio, by) == code_of(by)

    assert (stock(acme), traces(acme)) == (5, (0, 0))
    assert stdio.outcomes()[-1] == "cancelled"
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("by", SIGNALS)
def test_a_change_that_commits_is_done(
    by: signal.Signals, stdio: Stdio, acme: World, admin: psycopg.Connection, tmp_path: Path
) -> None:
    with commits_held(admin) as commits:
        stdio.call(RESTOCK)
        until(lambda: sessions(admin, stdio.name, IN_COMMIT))
        tell(stdio, by)
        commits.release()

        assert stdio.process.wait(LONG) == code_of(by)

    assert (stock(acme), traces(acme)) == (6, (1, 1))
    assert stdio.outcomes()[-1] == "ok"
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("by", [None, *SIGNALS])
@pytest.mark.parametrize("is_busy", [True, False])
def test_it_ends_with_a_silent_database(
    is_busy: bool,
    by: signal.Signals | None,
    acme: World,
    admin: psycopg.Connection,
    postgres_server: Server,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls = postgres_server.urls(database)
    place = urlsplit(urls["DATABASE_URL"])
    with Proxy(str(place.hostname), int(place.port or 5432)).running() as proxy:
        for name, url in urls.items():
            monkeypatch.setenv(name, url.replace(f"@{place.hostname}:{place.port}/", f"@127.0.0.1:{proxy.port}/"))
        with Stdio(acme, tmp_path / "log", None).running() as stdio:
            assert stdio.call(NAMES["shop_names"], 2).result(LONG)
            if is_busy:
                stdio.call(SLEEP)
                until(lambda: sessions(admin, stdio.name, ASLEEP))
            proxy.fall_silent()

            assert end(stdio, by) == code_of(by)
    end_sessions(admin, stdio.name)  # which nobody has told
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_silent_database_is_an_error_without_its_words(
    acme: World, postgres_server: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = postgres_server.urls(database)
    place = urlsplit(urls["DATABASE_URL"])
    with Proxy(str(place.hostname), int(place.port or 5432)).running() as proxy:
        for name, url in urls.items():
            monkeypatch.setenv(name, url.replace(f"@{place.hostname}:{place.port}/", f"@127.0.0.1:{proxy.port}/"))
        with Stdio(acme, tmp_path / "log", None).running() as stdio:
            assert stdio.call(NAMES["shop_names"], 2).result(LONG)
            proxy.fall_silent()
            told = stdio.call(NAMES["shop_names"], 3).result(LONG)
            proxy.speak()
            until(lambda: "result" in (stdio.call(NAMES["shop_names"], 4).result(LONG) or {}))

    assert told
    # Before anybody is known, in the language of the installation.
    assert told["error"]["message"] == "與資料庫的連線中斷了，沒有任何變更。請再試一次。"


@pytest.mark.parametrize("by", SIGNALS)
def test_it_ends_before_it_serves(
    by: signal.Signals, postgres_server: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = postgres_server.urls(database)
    place = urlsplit(urls["DATABASE_URL"])
    with Proxy(str(place.hostname), int(place.port or 5432)).running() as proxy:
        proxy.fall_silent()
        for name, url in urls.items():
            monkeypatch.setenv(name, url.replace(f"@{place.hostname}:{place.port}/", f"@127.0.0.1:{proxy.port}/"))
        with programs.Conversation(COMMAND, tmp_path / "log", environment=dict(os.environ)) as process:
            until(lambda: proxy.flow_count() or process.poll() is not None)
            process.send_signal(by)

            assert process.wait(LONG) == 128 + by
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_without_a_database_it_says_so(monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app_tenant:x@127.0.0.1:1/nothing")

    refused = programs.run(COMMAND, environment=dict(os.environ), timeout=LONG)

    assert refused.returncode == 1
    assert "the database does not answer; try again when it does" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("is_file", [True, False])
def test_what_comes_in_pieces_or_from_a_file_is_served(is_file: bool, acme: World, tmp_path: Path) -> None:
    line = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    rest = '"clientInfo":{"name":"é商店","version":"1"}}}\n'.encode()
    source = tmp_path / "in"
    source.write_bytes(line + rest)
    log, file = tmp_path / "log", source if is_file else None
    with programs.Conversation(COMMAND, log, environment=dict(os.environ), input_file=file) as process:
        if process.stdin:
            for piece in (line, rest[:26], rest[26:27], rest[27:]):
                process.stdin.write(piece)
                process.stdin.flush()
            assert b'"serverInfo"' in process.stdout.readline()
            process.stdin.close()
        # The end of the input ends what is still worked on.
        assert process.wait(LONG) == 0
