"""One PostgreSQL server for the run, one database for each process, committed transactions, no superuser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests import postgres
from tests.mcp_server.processes import Process, serving
from tests.world import World, make_tenant

pytest_plugins = ["rls.testing.plugin", "tests.wheel"]

TESTS = Path(__file__).parent
STACK = ExitStack()
SERVER: list[postgres.Server] = []
PLATFORM_CONNECTIONS = 60
# What `make test-fast` leaves out: files that start servers, clusters, environments and wheels of their own, or try
# hundreds of cases.
SLOW = {
    "core": "demo exports plans",
    "deploy": "make wheel",
    "examples": "helpdesk",
    "isolation": "mcp_endpoint mutations tenant_life",
    "mcp_server": "asgi cancelling connections exchanges fuzz operations outages outer_applications quickstart "
    "selftest stdio subscriptions",
    "rls": "audit grants history managed scaffold use_alone",
}


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL once: workers of xdist find it in their environment."""
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
    files = {TESTS / folder / f"test_{name}.py" for folder, names in SLOW.items() for name in names.split()}
    for item in items:
        if item.path in files:
            item.add_marker(pytest.mark.slow)


def pytest_report_header() -> str:
    return f"postgres: {SERVER[0].source}"


def pytest_unconfigure(config: pytest.Config) -> None:
    STACK.close()


@pytest.fixture(scope="session")
def postgres_server() -> postgres.Server:
    return SERVER[0]


@pytest.fixture(scope="session")
def database(postgres_server: postgres.Server, django_db_setup: str) -> str:
    """The name of this process's migrated database, where the processes that tests start find it too."""
    # Each server that a test starts has connections of the platform, and there are more of them than anybody deploys.
    with psycopg.connect(postgres_server.admin_url, autocommit=True) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('connection limit', 0))")
        connection.execute(f"ALTER ROLE app_platform CONNECTION LIMIT {PLATFORM_CONNECTIONS}")
    os.environ.update(postgres_server.urls(django_db_setup))
    return django_db_setup


@pytest.fixture(scope="session")
def admin(postgres_server: postgres.Server, database: str) -> Iterator[psycopg.Connection]:
    """A superuser in autocommit: for arranging drift and for looking from outside, never for what is under test."""
    with psycopg.connect(postgres_server.admin_url, dbname=database, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '10s'")
        yield connection


@pytest.fixture(autouse=True)
def clean(database: str, db: None) -> None:
    """Each test begins with the rows that the migrations left, and commits what it writes."""


@pytest.fixture
def acme() -> World:
    """A tenant with rows of every kind."""
    return make_tenant("acme", "Acme")


@pytest.fixture
def globex() -> World:
    """Another tenant, with rows of the same shape."""
    return make_tenant("globex", "Globex")


@pytest.fixture(scope="session")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The server as it is by default: stateless, JSON answers, tokens."""
    with serving(tmp_path_factory.mktemp("server") / "log") as process:
        yield process


@pytest.fixture(scope="session")
def stateful_server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The server with sessions and SSE, and with handlers of every other kind beside the tools."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(log, app="tests.shop.asgi:app", MCP_SESSIONS="stateful") as process:
        yield process
