"""One PostgreSQL server for the run, one database for each process, committed transactions, no superuser."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from django.conf import settings

from core.logs import Seldom
from mcp_server.ledger.buffer import BUFFER
from tests.support import postgres
from tests.support.bytecode import keep_bytecode
from tests.support.certificates import read_authorities_once
from tests.support.processes import Process, serving
from tests.support.signals import let_children_be_interrupted
from tests.support.world import Saved, World

pytest_plugins = ["rls.testing.plugin", "tests.support.wheel"]

STACK = ExitStack()
SERVER: list[postgres.Server] = []
SAVED: list[Saved] = []
PLATFORM_CONNECTIONS = 60


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL once: workers of xdist find it in their environment."""
    keep_bytecode()
    let_children_be_interrupted()
    read_authorities_once()
    if hasattr(config, "workerinput"):
        SERVER.append(postgres.Server(os.environ["TEST_SERVER_URL"], source=os.environ["TEST_SERVER_SOURCE"]))
        return
    try:
        server = STACK.enter_context(postgres.running())
    except postgres.NoPostgres as error:
        raise pytest.UsageError(str(error)) from error
    os.environ.update(TEST_SERVER_SOURCE=server.source, TEST_SERVER_URL=server.admin_url)
    SERVER.append(server)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who asks for a tenant, or for `admin`, has the database before every other fixture, in whatever order it asks."""
    for item in items:
        if isinstance(item, pytest.Function) and "db" in item.fixturenames:
            item.add_marker(pytest.mark.django_db)


def pytest_collection_finish() -> None:
    """No search for garbage reads the tests that were found, which stay until the end."""
    gc.freeze()


def pytest_report_header() -> str:
    return f"postgres: {SERVER[0].source}"


def pytest_unconfigure(config: pytest.Config) -> None:
    STACK.close()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of the tests that are marked `anyio`: the one that servers run on."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> postgres.Server:
    return SERVER[0]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: str, postgres_server: postgres.Server, django_db_blocker: Any) -> Iterator[str]:
    """The plugin's, where the processes that tests start find it too, and the two tenants that tests ask for: they are
    made once, before the first test.
    """
    # Each server that a test starts has connections of the platform, and there are more of them than anybody deploys.
    with psycopg.connect(postgres_server.admin_url, autocommit=True) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('connection limit', 0))")
        connection.execute(f"ALTER ROLE app_platform CONNECTION LIMIT {PLATFORM_CONNECTIONS}")
    os.environ.update(postgres_server.urls(django_db_setup))
    with psycopg.connect(postgres_server.admin_url, dbname=django_db_setup, autocommit=True) as connection:
        saved = Saved(connection)
        with django_db_blocker.unblock():
            saved.make("acme", "Acme")
            saved.make("globex", "Globex")
        SAVED.append(saved)
        yield django_db_setup


@pytest.fixture(scope="session")
def saved(django_db_setup: str) -> Saved:
    return SAVED[0]


@pytest.fixture(autouse=True)
def _every_record_passes() -> None:
    """A test sees what is logged in this process, whatever others of its kind an earlier test has caused.

    A server that tests start leaves out what an operator's does.
    """
    for logger in map(logging.getLogger, settings.LOGGING["loggers"]):
        logger.filters = [each for each in logger.filters if not isinstance(each, Seldom)]


@pytest.fixture(autouse=True)
def _no_records_of_the_next_test() -> Iterator[None]:
    """What a test has called in this process is recorded during the test, or not at all."""
    yield
    BUFFER.discard()


@pytest.fixture
def database(db: None, django_db_setup: str) -> str:
    """The name of this process's migrated database, for a test that makes its own rows."""
    return django_db_setup


@pytest.fixture(scope="session")
def superuser(postgres_server: postgres.Server, django_db_setup: str) -> Iterator[psycopg.Connection]:
    """The connection of `admin`."""
    with psycopg.connect(postgres_server.admin_url, dbname=django_db_setup, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '10s'")
        yield connection


@pytest.fixture
def admin(db: None, superuser: psycopg.Connection) -> psycopg.Connection:
    """A superuser in autocommit: for arranging drift and for looking from outside, never for what is under test."""
    return superuser


@pytest.fixture
def acme(db: None, saved: Saved) -> World:
    """A tenant with rows of every kind."""
    return saved.put("acme")


@pytest.fixture
def globex(db: None, saved: Saved) -> World:
    """Another tenant, with rows of the same shape."""
    return saved.put("globex")


@pytest.fixture(scope="session")
def server(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The server as it is by default: stateless, JSON answers, tokens."""
    with serving(tmp_path_factory.mktemp("server") / "log") as process:
        yield process


@pytest.fixture(scope="session")
def stateful_server(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The server with sessions and SSE, and with handlers of every other kind beside the tools."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(log, app="tests.shop.asgi:app", MCP_SESSIONS="stateful") as process:
        yield process
